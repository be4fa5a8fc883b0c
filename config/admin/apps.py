"""The app of Django's admin, with our site in place of its own."""

from django.contrib.admin.apps import SimpleAdminConfig


class AdminConfig(SimpleAdminConfig):
    """Leaves finding the pages to config.admin.site: workers do without."""

    default_site = "config.admin.site.Site"
