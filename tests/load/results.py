"""The figures of loads that were posted: the generator's outcomes matched with the simulator's journal."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from tests.load import judgement
from tests.load.journal import Journal
from tests.load.judgement import Answered, Post, Written
from tests.load.plan import Load, customer, planned


def collect(journal: Journal, loads: Sequence[Load], outcomes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Judge all loads together, and return the figures of each in `loads`."""
    calls, sends = journal.calls(), journal.sends()
    parts = [_written(load, outcome) for load, outcome in zip(loads, outcomes, strict=True)]
    everything = [each for part in parts for each in part]
    wrong = asdict(judgement.judge(everything, sends)) | {
        "without_picture": judgement.without_picture(everything, calls)
    }
    answered = [judgement.match(part, calls, sends) for part in parts]
    return {
        "messages": len(everything),
        "status_webhook": _webhooks(journal.status_posts()),
        **{name: len(found) for name, found in wrong.items()},
        "examples": {name: found[:10] for name, found in wrong.items() if found},
        "requests": journal.counts(),
        "loads": [
            _figures(load, outcome["start"], part, own) | {"others_waiting": _waiting(part, answered, own)}
            for load, outcome, part, own in zip(loads, outcomes, parts, answered, strict=True)
        ],
    }


def _waiting(written: list[Written], answered: list[list[Answered]], own: list[Answered]) -> dict[str, int]:
    """Count the unanswered messages of the other loads when this one's first and last were posted."""
    others = [each for part in answered if part is not own for each in part]
    times = [each.post.posted for each in written]
    return {"first": judgement.backlog(others, min(times)), "last": judgement.backlog(others, max(times))}


def _written(load: Load, outcome: dict[str, Any]) -> list[Written]:
    return [
        Written(
            message.token,
            customer(message.customer).wa_id or "",
            Post(outcome["start"] + message.offset, posted, answered, status),
            message.is_picture,
        )
        for message, posted, answered, status in zip(
            planned(load), outcome["posted"], outcome["answered"], outcome["statuses"], strict=True
        )
    ]


def _figures(load: Load, start: float, written: list[Written], answered: list[Answered]) -> dict[str, Any]:
    last_post = max(each.post.posted for each in written)
    seconds = load.seconds or last_post - start
    pictures = [each.added for each in answered if each.written.is_picture]
    return {
        "rate": load.rate,
        "messages": load.count,
        "started": start,
        "seconds": seconds,
        "webhook": _webhooks([each.post for each in written]),
        "late_ms": judgement.spread([each.post.posted - each.post.planned for each in written]),
        "answered": len(answered),
        "replies": len({(each.arrived, each.written.customer) for each in answered}),
        "answered_per_second": round(judgement.per_second(answered), 1),
        "answered_all_after_seconds": round(max((a.arrived for a in answered), default=start) - start, 2),
        "unanswered_when_the_last_was_posted": judgement.backlog(answered, last_post),
        "added_ms": judgement.spread([each.added for each in answered]),
        **({"added_ms_of_pictures": judgement.spread(pictures)} if pictures else {}),
        "added_ms_by_quarter": judgement.over_time(answered, start, seconds),
    }


def _webhooks(posts: list[Post]) -> dict[str, Any]:
    statuses: dict[str, int] = {}
    for post in posts:
        if post.status != 200:
            statuses[str(post.status)] = statuses.get(str(post.status), 0) + 1
    seconds = max((p.answered for p in posts), default=0) - min((p.posted for p in posts), default=0)
    return {
        "count": len(posts),
        "per_second": round(len(posts) / seconds, 1) if seconds else 0.0,
        "latency_ms": judgement.spread([post.answered - post.planned for post in posts]),
        "not_200": statuses,
    }
