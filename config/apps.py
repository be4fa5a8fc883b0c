"""The Django app of what every room may use."""

from django.apps import AppConfig


class ConfigConfig(AppConfig):
    """Registers the start-up checks."""

    name = "config"

    def ready(self) -> None:
        """Register the checks."""
        from config import checks  # noqa: F401, PLC0415  (Django wants checks registered here)
