"""Celery's settings that are the same everywhere, each beside the failure that it avoids."""

from celery.schedules import crontab

CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # the default of 100 makes a worker give up for good
CELERY_TASK_ACKS_LATE = False  # late acks run a task twice when a connection drops
CELERY_TASK_REJECT_ON_WORKER_LOST = False  # would loop for ever on a task that kills its worker
CELERY_TASK_IGNORE_RESULT = True  # a task is a doorbell: nobody waits for its result
CELERY_RESULT_BACKEND = CELERY_RESULT_EXPIRES = None  # else beat would clean up results that there are not
CELERY_TASK_CREATE_MISSING_QUEUES = False  # a typo would silently create a queue nobody reads
CELERY_TASK_PUBLISH_RETRY = False  # a lost ring is rung again by the sweeper
CELERY_WORKER_POOL = "config.lib.job_threads:TaskPool"  # else a slow job delays all others
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False  # celery 5.7.0 can exit when Redis goes away with it on
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_BEAT_SCHEDULER = "config.lib.task_schedule:Scheduler"  # a task that waits already is not queued again
# By the clock (UTC): an interval of a day would begin anew with each restart of a beat without a disk.
CELERY_BEAT_DAILY = {
    "check-endings": {"task": "agents.check_endings", "schedule": crontab(hour=5, minute=17)},
    "check-numbers": {"task": "agents.check_numbers", "schedule": crontab(minute=23)},
    "purge-leads": {"task": "extraction.purge", "schedule": crontab(minute=31)},
    "purge-conversations": {"task": "conversations.purge", "schedule": crontab(minute=41)},
    "erase": {"task": "privacy.erase", "schedule": crontab()},
}
# Those who ring wait for REDIS_TIMEOUT_MS: a frozen Redis must not hold a webhook. Workers set their own
# timeouts in config/celery.py.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # Without these a ring to a Redis that is away takes six seconds.
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0,
    "interval_max": 0,
    "socket_keepalive": True,
    "health_check_interval": 10,  # finds a half-open connection
    "visibility_timeout": 600,
    "unacked_restore_interval": 5,  # the defaults restore un-acked messages after 100 s only
    "unacked_restore_throttle": 1,
}
