"""The admin's pages of leads."""

from extraction.admin import leads  # noqa: F401  (registers them)
