"""The Django app of who answers."""

from django.apps import AppConfig


class AgentsConfig(AppConfig):
    """Registers the check of what agents speak with."""

    name = "agents"

    def ready(self) -> None:
        """Register the check."""
        from agents import checks  # noqa: F401, PLC0415  (Django wants checks registered here)
