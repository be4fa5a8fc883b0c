"""The admin's pages of businesses, their credits, their keys and what they were told."""

from billing.admin import keys, money, users  # noqa: F401  (registers them)
