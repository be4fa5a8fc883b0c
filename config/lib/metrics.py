"""
The metrics of this process: how often and how long it did what. `config.monitoring.server` shows them.

Every room measures through this module: one call where a step ends. A call takes about a microsecond, waits
for nothing and touches nothing but memory. Labels have few values: never an id, an address or a text.

https://prometheus.io/docs/practices/naming/
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
REGISTRY = CollectorRegistry()

# Of a label whose values others choose, such as error codes of vendors: those beyond this count as OTHER.
MOST_VALUES = 200
OTHER = "other"
_CODE = re.compile(r"[\w.:-]{1,50}", re.ASCII)

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SLOW = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120)


def _histogram(name: str, text: str, *labels: str, buckets: tuple[float, ...] = _FAST) -> Histogram:
    return Histogram(f"agents_{name}", text, labels, buckets=buckets, registry=REGISTRY)


def _counter(name: str, text: str, *labels: str) -> Counter:
    return Counter(f"agents_{name}", text, labels, registry=REGISTRY)


def _gauge(name: str, text: str, *labels: str) -> Gauge:
    return Gauge(f"agents_{name}", text, labels, registry=REGISTRY)


HTTP_REQUESTS = _histogram(
    "http_request_seconds", "From the head of a request to the end of its response.", "kind", "status"
)
STREAMS = _gauge("event_streams", "Event streams that are open.")
WEBHOOKS = _counter(
    "webhooks", "Webhooks of channels and messages of visitors, by where they were kept.", "source", "outcome"
)
CLAIM_WAIT = _histogram(
    "claim_wait_seconds", "From the moment a customer was due for a reply to the claim.", buckets=_SLOW
)
STEPS = _histogram("step_seconds", "A step of answering, for all turns of its batch.", "step")
STEP_TURNS = _histogram(
    "step_turns", "Turns in one batch of a step.", "step", buckets=(1, 2, 5, 10, 20, 50, 100, 200)
)
TURNS = _histogram("turn_seconds", "From the claim of a turn to its end.", "state", buckets=_SLOW)
MODEL_CALLS = _histogram(
    "model_call_seconds", "A request to the model's provider.", "operation", "outcome", buckets=_SLOW
)
MODEL_ERRORS = _counter("model_errors", "Failed requests to the model's provider.", "operation", "code")
MODEL_TOKENS = _counter("model_tokens", "Tokens of replies, input and output.")
GRAPH_CALLS = _histogram(
    "graph_call_seconds", "A request to Meta's Graph API.", "operation", "outcome", buckets=_SLOW
)
GRAPH_ERRORS = _counter("graph_errors", "Failed requests to Meta's Graph API.", "operation", "code")
SENDS = _histogram(
    "send_seconds", "Sending one part of a reply on its channel.", "channel", "outcome", buckets=_SLOW
)
ENDPOINT_POSTS = _histogram(
    "endpoint_post_seconds", "A POST of an event to a business.", "outcome", buckets=_SLOW
)
JOBS = _histogram("job_seconds", "A background job.", "job", "outcome", buckets=_SLOW)
LOOP_LAG = _histogram("event_loop_lag_seconds", "How late the event loop woke up.", "loop")
JOBS_WAITING = _gauge("jobs_waiting", "Jobs that wait for a thread of this process.", "job")
OPEN_TURNS = _gauge("process_open_turns", "Turns that this process answers.")
BREAKER_OPEN = _gauge("breaker_open", "1 while calls are refused because the last ones failed.", "breaker")
LOG_EVENTS = _counter("log_events", "Lines of the log at warning and above.", "level", "event")

_values: dict[str, set[str]] = {}


def limited(label: str, value: str) -> str:
    """Return a label's value, or OTHER if it is no code or the label has MOST_VALUES values already."""
    known = _values.setdefault(label, set())
    if value in known:
        return value
    if len(known) >= MOST_VALUES or not _CODE.fullmatch(value):
        return OTHER
    known.add(value)
    return value


@contextmanager
def timed(histogram: Histogram, errors: Counter, operation: str) -> Iterator[None]:
    """Measure a request to a vendor in the block, and count the `code` of the error that it raises."""
    began, outcome = time.perf_counter(), "ok"
    try:
        yield
    except Exception as error:
        outcome = "error"
        code = str(getattr(error, "code", "") or type(error).__name__)
        errors.labels(operation, limited(f"{operation}.code", code)).inc()
        raise
    finally:
        histogram.labels(operation, outcome).observe(time.perf_counter() - began)


def batch(step: str, turns: int, began: float) -> None:
    """Measure one batch of a step, which began at this moment of `time.perf_counter`."""
    STEPS.labels(step).observe(time.perf_counter() - began)
    STEP_TURNS.labels(step).observe(turns)
