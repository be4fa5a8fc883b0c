"""The Django app of what every room may use."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ConfigConfig(AppConfig):
    """Registers the start-up checks and the groups of those who sign in."""

    name = "config"

    def ready(self) -> None:
        """Register them."""
        from config import checks  # noqa: F401, PLC0415  (Django wants checks registered here)
        from config.admin import groups  # noqa: PLC0415  (it needs the apps)

        post_migrate.connect(groups.keep, sender=self, dispatch_uid="groups")
