"""The base of management commands that change what the audit log records."""

import getpass
from typing import Any

from django.core.management.base import BaseCommand

from config.lib import actors
from config.lib.actors import Actor, ActorKind


class AuditedCommand(BaseCommand):
    """A command that acts under its own name and, for people, that of the operating system's user."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run the command as an actor of its own."""
        command = type(self).__module__.rpartition(".")[2]
        with actors.acting(Actor(ActorKind.COMMAND, command, name=_user())):
            return super().execute(*args, **options)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return ""
