"""`manage.py sweep`: the sweeper as a process of its own."""

import signal
import threading

from django.core.management.base import BaseCommand

from conversations.sweeper import Sweeper, until


class Command(BaseCommand):
    """Rings for whatever still waits, every WORKER_POLL_INTERVAL, until it is told to stop."""

    help = __doc__

    def handle(self, *_args: object, **_options: object) -> None:
        """Run until SIGTERM or SIGINT."""
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, until(stop))
        Sweeper(stop).run()
