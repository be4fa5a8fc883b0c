"""`manage.py sweep`: the sweeper as a process of its own."""

import signal
import threading

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from config.checks import refuse_to_start_half_configured
from config.monitoring import process
from conversations.sweeper import Sweeper, until


class Command(BaseCommand):
    """Rings for whatever still waits, every WORKER_POLL_INTERVAL, until it is told to stop."""

    help = __doc__

    def handle(self, *_args: object, **_options: object) -> None:
        """Run until SIGTERM or SIGINT."""
        try:
            refuse_to_start_half_configured()
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, until(stop))
        process.serve("sweeper")
        Sweeper(stop).run()
