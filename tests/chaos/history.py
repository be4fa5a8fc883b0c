"""
Judges a history: what was accepted, what became of it, what the vendors saw, what it cost.

A pure function over plain records; `records.py` collects them from the tables and the simulator's journal.
What left the house is what the journal says, whatever the tables say.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

from tests.chaos.happened import Accepted, Delivery, History, Inbound, Turn

# What a customer writes carries a token of its own, e.g. <7-3-12>: the simulated model quotes it.
TOKEN = re.compile(r"<[\w-]+>")
FINDINGS = (
    "reordered", "doubled sends", "lost", "charges != replies", "balances != ledgers",
    "overlapping turns of one customer", "cross-tenant canaries", "not terminal",
)  # fmt: skip
REORDERED, DOUBLED, LOST, CHARGES, BALANCES, OVERLAPPING, FOREIGN, OPEN = FINDINGS

Place = tuple[str, str]  # phone_number_id and customer


@dataclass
class Report:
    """What became of each message, and every breach of a promise with what shows it."""

    fates: Counter[str]
    findings: dict[str, list[str]]
    paid_again: int = 0

    @property
    def accepted(self) -> int:
        return self.fates.total()

    @property
    def answered(self) -> int:
        """How many were answered exactly once, by a reply or, where the model failed, by the fallback."""
        return self.fates["answered"] + self.fates["fallback"]

    @property
    def at_fault(self) -> set[str]:
        """Name what a promise was broken in."""
        return {name for name, found in self.findings.items() if found}

    @property
    def is_good(self) -> bool:
        return not self.at_fault

    def __str__(self) -> str:
        beside = ", ".join(f"{name} {count}" for name, count in sorted(self.fates.items()) if count)
        lines = [
            f"{'messages accepted':36}{self.accepted:6}",
            f"{'answered exactly once':36}{self.answered:6}   ({beside}; paid again {self.paid_again})",
            *(f"{name:36}{len(found):6}" for name, found in self.findings.items()),
        ]
        examples = [f"  {name}: {what}" for name, found in self.findings.items() for what in found[:10]]
        return "\n".join(lines + examples)


def check(history: History) -> Report:
    """Judge a history."""
    return _Check(history).report()


class _Check:
    def __init__(self, history: History) -> None:
        self.history = history
        self.findings: dict[str, list[str]] = {name: [] for name in FINDINGS}
        self.rows = _by(history.inbox, lambda row: (row.number, row.provider_id))
        self.turns = {turn.turn_id: turn for turn in history.turns}
        self.replies = _by(history.replies, lambda reply: reply.turn_id)
        self.by_message = {reply.message_id: reply for reply in history.replies}
        self.deliveries = _by(history.deliveries, lambda delivery: delivery.message_id)
        self.by_delivery = {delivery.delivery_id: delivery for delivery in history.deliveries}
        self.posts = _by(history.posts, lambda post: post.delivery_id)
        self.places = {message.token: (message.number, message.customer) for message in history.accepted}

    def report(self) -> Report:
        fates = Counter(self._fate(message) for message in self.history.accepted)
        for look in (self._inbox, self._open, self._order, self._posts, self._mentions, self._overlaps,
                     self._canaries, self._charges, self._ledgers):  # fmt: skip
            look()
        paid = Counter(ask.turn_id for ask in self.history.asks if ask.is_paid and ask.turn_id)
        return Report(fates, self.findings, paid_again=sum(count - 1 for count in paid.values()))

    def _find(self, name: str, what: str) -> str:
        self.findings[name].append(what)
        return name

    # --- each message

    def _fate(self, message: Accepted) -> str:  # noqa: PLR0911  (one question after the other)
        """Say in one word what became of a message."""
        rows = self.rows[message.number, message.provider_id]
        if not rows:
            return self._find(LOST, f"{message.token} was accepted and is not in the inbox")
        row = rows[0]
        if row.customer != message.customer:
            self._find(FOREIGN, f"{message.token} of {message.customer} is kept as {row.customer}'s")
        if row.status in {"pending", "processing"}:
            return "open"
        if row.status == "rejected":
            return "rejected"
        turn = self.turns.get(row.turn_id or "")
        if row.status == "ignored" or turn is None:
            return self._find(LOST, f"{message.token} is {row.status} and in no turn")
        if (turn.number, turn.customer) != (message.number, message.customer):
            self._find(FOREIGN, f"{message.token} is in {turn.turn_id} of {turn.number} {turn.customer}")
        if turn.state in {"claimed", "answered"}:
            return "open"
        if turn.state != row.status:
            return self._find(LOST, f"{message.token} is {row.status}, its {turn.turn_id} is {turn.state}")
        return self._fate_in(turn, message)

    def _fate_in(self, turn: Turn, message: Accepted) -> str:  # noqa: PLR0911  (the same)
        replies = self.replies[turn.turn_id]
        if not replies:
            if turn.state == "failed":
                return "failed"
            return self._find(LOST, f"{message.token}: {turn.turn_id} is done without a reply")
        deliveries = self._newest(replies[0].message_id)
        states = {delivery.state for delivery in deliveries}
        if not deliveries or states & {"pending", "sending"}:
            return self._find(LOST, f"{message.token}: the reply of {turn.turn_id} was never sent")
        if turn.state == "done" and message.token not in replies[0].text:
            return self._find(LOST, f"{message.token} is not answered by the reply of {turn.turn_id}")
        if states & {"failed", "cancelled"}:
            return "undelivered"
        if "unknown" in states:
            return "unknown"
        posts = [post for delivery in deliveries for post in self.posts[delivery.delivery_id]]
        sent = {post.delivery_id for post in posts if post.may_have_arrived}
        if unsent := [delivery.delivery_id for delivery in deliveries if delivery.delivery_id not in sent]:
            return self._find(LOST, f"{message.token}: {unsent[0]} counts as sent and nobody posted it")
        if turn.state == "failed":
            return "fallback"
        if not any(message.token in post.text for post in posts):
            return self._find(LOST, f"{message.token}: what {turn.turn_id} posted does not answer it")
        return "answered"

    def _newest(self, message_id: str) -> list[Delivery]:
        """Give the deliveries of a message's newest attempt."""
        deliveries = self.deliveries[message_id]
        newest = max((delivery.attempt for delivery in deliveries), default=0)
        return [delivery for delivery in deliveries if delivery.attempt == newest]

    # --- the tables

    def _inbox(self) -> None:
        for (_, provider_id), rows in self.rows.items():
            if len(rows) > 1:
                self._find(DOUBLED, f"{provider_id} is kept {len(rows)} times")

    def _open(self) -> None:
        for row in self.history.inbox:
            if row.status in {"pending", "processing"}:
                self._find(OPEN, f"message {row.id} of {row.number} {row.customer} is {row.status}")
        for turn in self.history.turns:
            if turn.state in {"claimed", "answered"}:
                self._find(OPEN, f"{turn.turn_id} of {turn.number} {turn.customer} is {turn.state}")
        for delivery in self.history.deliveries:
            if delivery.state in {"pending", "sending"}:
                self._find(OPEN, f"{delivery.delivery_id} is {delivery.state}")

    def _overlaps(self) -> None:
        for place, turns in _by(self.history.turns, lambda turn: (turn.number, turn.customer)).items():
            for before, after in pairwise(sorted(turns, key=lambda turn: turn.created_at)):
                if before.closed_at is None or after.created_at < before.closed_at:
                    self._find(OVERLAPPING, f"{before.turn_id} and {after.turn_id} of {place}")

    # --- order

    def _order(self) -> None:
        accepted = _by(self.history.accepted, lambda message: (message.number, message.customer))
        in_time = sorted(self.history.posts, key=lambda post: post.seq)
        posts = _by(in_time, lambda post: (post.number, post.to))
        for place, messages in accepted.items():
            rows = [row for message in messages for row in self.rows[place[0], message.provider_id][:1]]
            self._rising(place, "inbox", [row.id for row in rows])
            self._rising(place, "transcript", [row.sequence_no for row in rows if row.sequence_no])
            self._turns_in_order(place, [row for row in rows if row.turn_id])
            numbers = {message.token: number for number, message in enumerate(messages)}
            told = [token for post in posts[place] if post.may_have_arrived for token in _tokens(post.text)]
            self._rising(
                place, "replies", [numbers[token] for token in dict.fromkeys(told) if token in numbers]
            )

    def _turns_in_order(self, place: Place, rows: list[Inbound]) -> None:
        taken = _by(rows, lambda row: row.turn_id)
        turns = [turn for turn in self.history.turns if turn.turn_id in taken]
        for before, after in pairwise(sorted(turns, key=lambda turn: turn.created_at)):
            if max(row.id for row in taken[before.turn_id]) > min(row.id for row in taken[after.turn_id]):
                self._find(REORDERED, f"{after.turn_id} of {place} took what was before {before.turn_id}'s")

    def _rising(self, place: Place, where: str, numbers: list[int]) -> None:
        if wrong := [pair for pair in pairwise(numbers) if pair[0] >= pair[1]]:
            self._find(REORDERED, f"{where} of {place}: {wrong[0][1]} after {wrong[0][0]}")

    # --- what was sent

    def _posts(self) -> None:
        for delivery_id, posts in self.posts.items():
            if delivery_id not in self.by_delivery:
                self._find(DOUBLED, f"post {posts[0].seq} to {posts[0].to} is of no known delivery")
            elif len(posts) > 1:
                self._find(DOUBLED, f"{delivery_id} was posted {len(posts)} times")
        for turn_id, replies in self.replies.items():
            if len(replies) > 1:
                self._find(DOUBLED, f"{turn_id} has {len(replies)} replies")
        for message_id, deliveries in self.deliveries.items():
            parts = Counter((delivery.attempt, delivery.part) for delivery in deliveries)
            if max(parts.values()) > 1:
                self._find(DOUBLED, f"a part of {message_id} has two deliveries")
            first = [self.posts[each.delivery_id][0].seq for each in sorted(deliveries, key=_part)
                     if self.posts[each.delivery_id]]  # fmt: skip
            if first != sorted(first):
                self._find(REORDERED, f"the parts of {message_id}")

    def _mentions(self) -> None:
        """
        Find messages answered by two replies.

        What a turn left that failed or could not send, the next one answers; and who opens OpenAI's copy anew
        tells it what was said before, which the simulated model then quotes.
        """
        answers: dict[str, set[str]] = defaultdict(set)
        opened = {ask.conversation: ask.turn_id for ask in reversed(self.history.asks) if ask.turn_id}
        for post in self.history.posts:
            delivery = self.by_delivery.get(post.delivery_id)
            reply = self.by_message.get(delivery.message_id) if delivery else None
            if reply is not None and post.may_have_arrived and reply.turn_id not in opened.values():
                for token in _tokens(post.text):
                    answers[token].add(reply.turn_id)
        own = {(row.number, row.provider_id): row.turn_id for row in self.history.inbox}
        for message in self.history.accepted:
            turn = self.turns.get(own.get((message.number, message.provider_id)) or "")
            if turn is not None and turn.state == "done" and not self._is_unsaid(turn):
                answers[message.token].add(turn.turn_id)
            if len(answers[message.token]) > 1:
                self._find(DOUBLED, f"{message.token} was answered by {sorted(answers[message.token])}")

    def _is_unsaid(self, turn: Turn) -> bool:
        """Tell whether nothing of what a turn had to say was delivered."""
        states = {
            each.state for reply in self.replies[turn.turn_id] for each in self._newest(reply.message_id)
        }
        return states <= {"failed", "cancelled"}

    def _canaries(self) -> None:
        for post in self.history.posts:
            self._own_only(f"post {post.seq}", (post.number, post.to), post.text)
            delivery = self.by_delivery.get(post.delivery_id)
            reply = self.by_message.get(delivery.message_id) if delivery else None
            turn = self.turns.get(reply.turn_id) if reply else None
            if turn and (turn.number, turn.customer) != (post.number, post.to):
                self._find(FOREIGN, f"the reply of {turn.turn_id} went to {post.to} from {post.number}")
        talks: dict[str, set[Place]] = defaultdict(set)
        for ask in self.history.asks:
            self._own_only(f"ask {ask.seq}", (ask.number, ask.customer), ask.text)
            if ask.conversation:
                talks[ask.conversation].add((ask.number, ask.customer))
        for conversation, places in talks.items():
            if len(places) > 1:
                self._find(FOREIGN, f"{conversation} is of {len(places)} customers")

    def _own_only(self, what: str, place: Place, text: str) -> None:
        for token in _tokens(text):
            if self.places.get(token, place) != place:
                self._find(FOREIGN, f"{what} of {place} holds {token} of {self.places[token]}")

    # --- money

    def _charges(self) -> None:
        lines = _by(self.history.lines, lambda line: line.reference)
        for turn in self.history.turns:
            charged = [line for line in lines[turn.turn_id] if line.kind == "charge"]
            refunded = [line for line in lines[turn.turn_id] if line.kind == "refund"]
            expected = self._expected(turn)
            if expected is not None and (len(charged), len(refunded)) != expected:
                found = f"{len(charged)} charges, {len(refunded)} refunds"
                self._find(CHARGES, f"{turn.turn_id} ({turn.state} {turn.error}) has {found}")
            if any(line.user != self.history.owners[turn.number] for line in (*charged, *refunded)):
                self._find(CHARGES, f"{turn.turn_id} was charged to somebody else")
            if charged and refunded and sum(line.amount for line in (*charged, *refunded)) != 0:
                self._find(CHARGES, f"{turn.turn_id} got back another amount than was taken")
        for line in self.history.lines:
            if line.kind in {"charge", "refund"} and line.reference not in self.turns:
                self._find(CHARGES, f"line {line.id} ({line.kind}) is for no turn: {line.reference}")

    def _expected(self, turn: Turn) -> tuple[int, int] | None:
        """Give how many charges and refunds a turn must have; None where that is not decided yet."""
        if turn.state in {"claimed", "answered"}:
            return None
        if turn.error == "insufficient_credits":
            return 0, 0
        states = {
            each.state for reply in self.replies[turn.turn_id] for each in self._newest(reply.message_id)
        }
        # A person who takes over after the first part leaves the reply charged.
        is_refunded = turn.state == "failed" or "failed" in states or states == {"cancelled"}
        return 1, int(is_refunded)

    def _ledgers(self) -> None:
        lines = _by(self.history.lines, lambda line: line.user)
        for user, balance in self.history.balances.items():
            so_far = 0
            for line in sorted(lines[user], key=lambda line: line.id):
                so_far += line.amount
                if line.balance_after != so_far or so_far < 0:
                    self._find(BALANCES, f"line {line.id} says {line.balance_after}, it is {so_far}")
                    break
            if balance != sum(line.amount for line in lines[user]) or balance < 0:
                self._find(BALANCES, f"{user} has {balance}, the ledger says otherwise")


def _tokens(text: str) -> list[str]:
    return TOKEN.findall(text)


def _part(delivery: Delivery) -> tuple[int, int]:
    return delivery.attempt, delivery.part


class _Groups(dict):
    """Records by a key; none where there is no such key."""

    def __missing__(self, key: object) -> list:
        return []


def _by(records: Iterable, key: Callable) -> _Groups:
    found = _Groups()
    for record in records:
        found.setdefault(key(record), []).append(record)
    return found
