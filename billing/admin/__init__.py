"""The admin's pages of businesses, their credits, their keys, and what they are told where."""

from billing.admin import audit, keys, money, users, webhooks  # noqa: F401  (registers them)
