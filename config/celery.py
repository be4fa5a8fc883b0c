"""The Celery application. Its settings stand in config/settings.py, each beside the failure it avoids."""

import os
import time
from contextvars import ContextVar
from typing import Any

import structlog
from celery import Celery, signals
from django.core.exceptions import ImproperlyConfigured
from kombu import Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

# When the task of this thread began.
_began: ContextVar[float] = ContextVar("began")

app = Celery("config", task_cls="config.lib.task_worker:DoorbellTask")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@app.on_after_configure.connect
def _declare_queues(sender: Celery, **_: Any) -> None:
    from config.lib import roles  # noqa: PLC0415  (reads the settings)

    # A ring that is lost is rung again, so that the broker need not keep it until it is acknowledged.
    sender.conf.task_queues = [Queue(name, routing_key=name, no_ack=True) for name in roles.queues()]


@signals.celeryd_init.connect
def _wait_longer(conf: Any, **_: Any) -> None:
    """Whoever consumes waits in BRPOP; the short timeouts of the settings are for those who ring."""
    conf.broker_transport_options = {
        **conf.broker_transport_options,
        "socket_timeout": 5,
        "socket_connect_timeout": 2,
    }


@signals.celeryd_init.connect
@signals.beat_init.connect
def _check_configuration(**_: Any) -> None:
    from config.checks import refuse_to_start_half_configured  # noqa: PLC0415  (needs Django to be set up)

    try:
        refuse_to_start_half_configured()
    except ImproperlyConfigured as error:
        # Celery logs whatever else a signal's receiver raises, and goes on.
        raise SystemExit(str(error)) from error


@signals.setup_logging.connect
def _keep_our_logs(**_: Any) -> None:
    """Leave logging as config/settings.py set it up."""


@signals.worker_ready.connect
def _start_heart(sender: Any, **_: Any) -> None:
    from config.lib import roles  # noqa: PLC0415  (needs Django to be set up)
    from config.monitoring import process  # noqa: PLC0415

    queues = sorted(sender.app.amqp.queues.consume_from)
    process.start(roles.reader_of(queues[0]), queues)


@signals.beat_init.connect
def _start_heart_of_beat(**_: Any) -> None:
    from config.monitoring import process  # noqa: PLC0415  (needs Django to be set up)

    process.start("beat")


@signals.worker_shutting_down.connect
def _stop(**_: Any) -> None:
    """Hand back what only waits for a foreign API: Celery would wait for it, longer than a deploy does."""
    from config.lib import shutdown  # noqa: PLC0415  (needs Django to be set up)

    shutdown.begin()


@signals.task_postrun.connect
def _measure(task: Any, state: str | None, **_: Any) -> None:
    from config.lib import metrics  # noqa: PLC0415  (reads no settings, but stands below those that do)

    outcome = "ok" if state == "SUCCESS" else "error"
    metrics.JOBS.labels(task.name, outcome).observe(time.perf_counter() - _began.get())


@signals.task_prerun.connect
def _bind_correlation(task: Any, **_: Any) -> None:
    _began.set(time.perf_counter())
    structlog.contextvars.clear_contextvars()
    if correlation_id := (task.request.headers or {}).get("correlation_id"):
        structlog.contextvars.bind_contextvars(correlation_id=correlation_id)
