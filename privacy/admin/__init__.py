"""The admin's page of erasures, and the buttons of a customer."""

from privacy.admin import erasures  # noqa: F401  (registers them)
