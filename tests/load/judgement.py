"""
What a run was like: pure functions over what the generator posted and the simulator saw.

All times are unix seconds of one machine's clock.
"""

import bisect
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

PERCENTILES = (50, 95, 99)
SLICES = 4


@dataclass(frozen=True, slots=True)
class Post:
    """One webhook: when it should have left, when it left, and how it was answered (0: not at all)."""

    planned: float
    posted: float
    answered: float
    status: int


@dataclass(frozen=True, slots=True)
class Written:
    """A customer's message and the webhook that brought it."""

    token: str
    customer: str
    post: Post
    is_picture: bool = False

    @property
    def is_accepted(self) -> bool:
        return self.post.status == 200


@dataclass(frozen=True, slots=True)
class Call:
    """A call of the model, as long as the simulator took over it, and the number of pictures in it."""

    tokens: tuple[str, ...]
    began: float
    ended: float
    pictures: int = 0


@dataclass(frozen=True, slots=True)
class Send:
    """A reply as it reached Graph, with the messages it quotes in order."""

    tokens: tuple[str, ...]
    to: str
    arrived: float


@dataclass(frozen=True, slots=True)
class Answered:
    """A message with its reply; `added` is what the customer waited beyond the model's own time."""

    written: Written
    arrived: float
    added: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What must be empty after a run."""

    lost: list[str]
    doubled: list[str]
    misdelivered: list[str]
    out_of_order: list[tuple[str, str]]
    unexpected: list[str] = field(default_factory=list)


def percentile(values: Sequence[float], percent: float) -> float:
    """Give the smallest value that at least this share of all values does not exceed; nan if none."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100).__trunc__() - 1)]


def spread(values: Sequence[float]) -> dict[str, float]:
    """Give the usual percentiles and the largest, in milliseconds."""
    found = {f"p{percent}": percentile(values, percent) for percent in PERCENTILES}
    found["max"] = max(values, default=float("nan"))
    return {name: round(value * 1000, 1) for name, value in found.items()}


def match(written: Iterable[Written], calls: Iterable[Call], sends: Iterable[Send]) -> list[Answered]:
    """
    Find each message's first reply, and count what was added to the model's time.

    Added is from the moment the webhook should have left the generator to the moment the reply's POST had
    reached Graph, less the time for which the simulator held the calls of the model that quoted the message
    and ended before. Graph's own latency comes after that moment and counts nowhere. What does count: a
    generator that finds no connection free, and waiting for the reply to an earlier message of the customer.
    """
    first: dict[str, Send] = {}
    for send in sorted(sends, key=lambda send: send.arrived):
        for token in send.tokens:
            first.setdefault(token, send)
    asked: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        for token in call.tokens:
            asked[token].append(call)
    found = []
    for message in written:
        if (reply := first.get(message.token)) is not None:
            thought = sum(
                call.ended - call.began for call in asked[message.token] if call.ended <= reply.arrived
            )
            found.append(Answered(message, reply.arrived, reply.arrived - message.post.planned - thought))
    return found


def judge(written: Sequence[Written], sends: Sequence[Send]) -> Verdict:
    """
    Look for messages without a reply, with two or with another customer's, and for replies out of order.

    A reply that quotes no message, or one that was not written now, is unexpected; its customer is listed.
    """
    tokens = {each.token for each in written}
    in_order = sorted(sends, key=lambda send: send.arrived)
    quoted: dict[str, list[Send]] = defaultdict(list)
    for send in in_order:
        for token in send.tokens:
            quoted[token].append(send)
    return Verdict(
        lost=[each.token for each in written if each.is_accepted and not quoted[each.token]],
        doubled=[each.token for each in written if len(quoted[each.token]) > 1],
        misdelivered=[
            each.token
            for each in written
            for send in quoted[each.token]
            if send.to.lstrip("+") != each.customer
        ],
        out_of_order=_out_of_order(written, in_order),
        unexpected=[send.to for send in in_order if not send.tokens or not tokens.issuperset(send.tokens)],
    )


def _out_of_order(written: Sequence[Written], in_order: Sequence[Send]) -> list[tuple[str, str]]:
    """
    Give pairs of a customer's messages that were answered the other way round.

    Only where the first webhook was answered before the second one left: of others nobody knows the order.
    """
    place: dict[str, int] = {}
    for send in in_order:
        for token in send.tokens:
            place.setdefault(token, len(place))
    by_customer: dict[str, list[Written]] = defaultdict(list)
    for message in written:
        if message.token in place and message.is_accepted:
            by_customer[message.customer].append(message)
    return [
        (earlier.token, later.token)
        for messages in by_customer.values()
        for earlier, later in pairwise(sorted(messages, key=lambda message: message.post.posted))
        if earlier.post.answered <= later.post.posted and place[earlier.token] > place[later.token]
    ]


def without_picture(written: Iterable[Written], calls: Iterable[Call]) -> list[str]:
    """Return the pictures that were accepted but that no call of the model about them carried."""
    carried = {token for call in calls if call.pictures for token in call.tokens}
    pictures = [each.token for each in written if each.is_picture and each.is_accepted]
    return [token for token in pictures if token not in carried]


def over_time(answered: Sequence[Answered], start: float, seconds: float) -> list[dict[str, float]]:
    """Give the added latency for each quarter of the time in which messages were posted."""
    length = seconds / SLICES or 1.0
    parts: list[list[float]] = [[] for _ in range(SLICES)]
    for each in answered:
        parts[min(SLICES - 1, int((each.written.post.posted - start) / length))].append(each.added)
    return [{"messages": len(part), **spread(part)} for part in parts]


def backlog(answered: Sequence[Answered], at: float) -> int:
    """Count the messages that had been posted but not answered at a moment."""
    posted = bisect.bisect_right(sorted(each.written.post.posted for each in answered), at)
    return posted - bisect.bisect_right(sorted(each.arrived for each in answered), at)


def is_held(quarters: Sequence[dict[str, float]]) -> bool:
    """
    Tell whether a rate was kept up with: the backlog did not grow.

    Growing work shows as added latency that rises with time: by a tenth of a second each second when a tenth
    too much comes in. So the median of the last quarter may be neither a second nor a quarter of one above
    that of the second quarter.
    """
    last, before = quarters[-1]["p50"], quarters[1]["p50"]
    return last < 1000 and last - before < 250


def per_second(answered: Sequence[Answered]) -> float:
    """Give the replies a second, between the first and the last."""
    times = [each.arrived for each in answered]
    return (len(times) - 1) / (max(times) - min(times)) if len(times) > 1 else 0.0
