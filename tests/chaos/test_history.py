"""The checker itself: it must see what is wrong, and nothing else."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.chaos.happened import Accepted, Ask, Delivery, History, Inbound, Line, Post, Reply, Turn
from tests.chaos.history import (
    BALANCES,
    CHARGES,
    DOUBLED,
    FOREIGN,
    LOST,
    OPEN,
    OVERLAPPING,
    REORDERED,
    check,
)

ANN, BOB = "12025550101", "12025550102"


class Story:
    """Tells a history in which all is well, step by step; whatever is done to it afterwards is wrong."""

    def __init__(self) -> None:
        self.history = History(owners={"n1": "u1", "n2": "u2"}, balances={"u1": 0, "u2": 0})
        self._now = 0.0
        for user in ("u1", "u2"):
            self.pay(user, "grant", 100, f"grant-{user}")

    def hear(self, *tokens: str, number: str = "n1", customer: str = ANN) -> None:
        """Let a customer's messages be accepted."""
        for token in tokens:
            known = self.history.inbox
            place = sum(row.customer == customer and row.number == number for row in known) + 1
            self.history.accepted.append(Accepted(number, customer, f"wamid.{token}", token))
            self.history.inbox.append(
                Inbound(len(known) + 1, number, customer, f"wamid.{token}", "pending", None, place)
            )

    def answer(
        self,
        *tokens: str,
        number: str = "n1",
        customer: str = ANN,
        parts: int = 1,
        state: str = "read",
        error: str = "",
        fallback: str = "Sorry.",
        asks: int = 1,
        quoting: tuple[str, ...] = (),
    ) -> str:
        """Let a turn take messages and end; `state` is that of its deliveries."""
        history = self.history
        turn_id = f"trn{len(history.turns)}"
        self._now += 10
        history.turns.append(
            Turn(turn_id, number, customer, "failed" if error else "done", self._now, self._now + 5, error)
        )
        history.inbox[:] = [
            replace(row, status="failed" if error else "done", turn_id=turn_id)
            if row.provider_id.removeprefix("wamid.") in tokens
            else row
            for row in history.inbox
        ]
        user = history.owners[number]
        self.pay(user, "charge", -1, turn_id)
        if error or state in {"failed", "cancelled"}:
            self.pay(user, "refund", 1, turn_id)
        quoted = " / ".join((*quoting, *tokens))
        for _ in range(asks):
            history.asks.append(
                Ask(len(history.asks), number, customer, turn_id, f"conv-{number}-{customer}", quoted)
            )
        text = fallback if error else f"You wrote: {quoted}"
        if text:
            self._say(turn_id, text, parts=parts, state=state)
        return turn_id

    def _say(self, turn_id: str, text: str, *, parts: int, state: str) -> None:
        history = self.history
        [turn] = [turn for turn in history.turns if turn.turn_id == turn_id]
        message_id = f"msg{len(history.replies)}"
        history.replies.append(Reply(message_id, turn_id, text))
        for part in range(1, parts + 1):
            delivery_id = f"dlv{len(history.deliveries)}"
            history.deliveries.append(Delivery(delivery_id, message_id, state, part=part))
            if state not in {"cancelled", "unknown"}:
                status = 400 if state == "failed" else 200
                shown = text if part == 1 else f"part {part}"
                history.posts.append(
                    Post(len(history.posts) + 1, turn.number, turn.customer, shown, delivery_id, status)
                )

    def pay(self, user: str, kind: str, amount: int, reference: str) -> None:
        lines = self.history.lines
        self.history.balances[user] += amount
        lines.append(Line(len(lines) + 1, user, kind, amount, reference, self.history.balances[user]))


def told() -> Story:
    """Tell of two numbers and three customers: a message each, a burst, and one more of Ann's."""
    story = Story()
    story.hear("<a1>")
    story.answer("<a1>")
    story.hear("<b1>", customer=BOB)
    story.hear("<z1>", number="n2")
    story.hear("<a2>", "<a3>")
    story.answer("<b1>", customer=BOB)
    story.answer("<a2>", "<a3>")
    story.answer("<z1>", number="n2")
    story.hear("<a4>")
    story.answer("<a4>", parts=2)
    return story


class TestGood:
    def assert_good(self, story: Story, **fates: int) -> None:
        report = check(story.history)

        assert report.is_good, report
        assert dict(report.fates) == fates
        assert report.answered == fates.get("answered", 0) + fates.get("fallback", 0)

    def test_is_a_burst_answered_by_one_reply_and_a_reply_in_parts(self):
        self.assert_good(told(), answered=6)

    def test_is_nothing_at_all(self):
        self.assert_good(Story())

    def test_is_a_failed_turn_whose_fallback_was_sent_and_whose_credit_came_back(self):
        story = told()
        story.hear("<a5>")
        story.answer("<a5>", error="model: 500", asks=0)

        self.assert_good(story, answered=6, fallback=1)

    def test_is_a_later_reply_that_takes_up_what_the_failed_turn_left(self):
        story = told()
        story.hear("<a5>")
        story.answer("<a5>", error="model: 500", asks=0)
        story.hear("<a6>")
        story.answer("<a6>", quoting=("<a5>",))

        self.assert_good(story, answered=7, fallback=1)

    def test_is_a_failed_turn_without_a_fallback(self):
        story = told()
        story.hear("<a5>")
        story.answer("<a5>", error="model: 500", fallback="")

        self.assert_good(story, answered=6, failed=1)

    def test_is_an_unknown_delivery_that_was_never_posted_and_keeps_its_charge(self):
        story = told()
        story.hear("<a5>")
        story.answer("<a5>", state="unknown")
        story.hear("<a6>")
        story.answer("<a6>")

        self.assert_good(story, answered=7, unknown=1)

    def test_is_an_unknown_delivery_that_was_posted(self):
        story = told()
        story.hear("<a5>")
        story.answer("<a5>")
        mend(story, "deliveries", -1, state="unknown")
        mend(story, "posts", -1, status=None)

        self.assert_good(story, answered=6, unknown=1)

    def test_is_a_new_copy_at_openai_that_is_told_what_was_said_before(self):
        story = told()
        story.hear("<a5>")
        story.answer("<a5>", quoting=("<a1>", "<a2>", "<a3>", "<a4>"))
        mend(story, "asks", -1, conversation="a new one")

        self.assert_good(story, answered=7)

    def test_is_a_draft_that_was_never_sent(self):
        story = told()
        story.hear("<a5>", "<a6>")
        story.answer("<a5>", "<a6>", asks=2)

        self.assert_good(story, answered=8)
        assert check(story.history).paid_again == 1

    def test_is_a_refused_send_whose_credit_came_back(self):
        story = told()
        story.hear("<a5>")
        story.answer("<a5>", state="failed")

        self.assert_good(story, answered=6, undelivered=1)

    def test_is_a_later_reply_that_takes_up_what_could_not_be_sent(self):
        story = told()
        story.hear("<a5>")
        story.answer("<a5>", state="failed")
        story.hear("<a6>")
        story.answer("<a6>", quoting=("<a5>",))

        self.assert_good(story, answered=7, undelivered=1)

    def test_is_a_reply_taken_back_because_a_person_answered(self):
        story = told()
        story.hear("<a5>")
        story.answer("<a5>", state="cancelled")

        self.assert_good(story, answered=6, undelivered=1)

    def test_is_a_message_nobody_could_pay_for(self):
        story = told()
        story.hear("<a5>")
        story.history.turns.append(Turn("trn9", "n1", ANN, "failed", 900, 900, "insufficient_credits"))
        mend(story, "inbox", -1, status="rejected", turn_id="trn9")

        self.assert_good(story, answered=6, rejected=1)

    def test_is_a_second_attempt_by_hand(self):
        story = told()
        story.hear("<a5>")
        story.answer("<a5>", state="unknown")
        history = story.history
        history.deliveries.append(Delivery("again", history.replies[-1].message_id, "sent", attempt=2))
        history.posts.append(Post(99, "n1", ANN, history.replies[-1].text, "again"))

        self.assert_good(story, answered=7)

    def test_is_a_stored_message_whose_sender_never_heard_the_200(self):
        story = told()
        story.hear("<a5>")
        story.history.accepted.pop()
        story.answer("<a5>")

        self.assert_good(story, answered=6)


def mend(story: Story, records: str, index: int, **changes: object) -> None:
    """Change one record."""
    kept = getattr(story.history, records)
    kept[index] = replace(kept[index], **changes)


def drop(story: Story, records: str, index: int) -> None:
    getattr(story.history, records).pop(index)


def again(story: Story, records: str, index: int, **changes: object) -> None:
    """Repeat one record."""
    kept = getattr(story.history, records)
    kept.append(replace(kept[index], **changes))


def swap(story: Story, records: str, one: int, other: int, *names: str) -> None:
    """Let two records change some of their values."""
    kept = getattr(story.history, records)
    first, second = kept[one], kept[other]
    kept[one] = replace(first, **{name: getattr(second, name) for name in names})
    kept[other] = replace(second, **{name: getattr(first, name) for name in names})


def _fallback_unposted(story: Story) -> None:
    story.hear("<a5>")
    story.answer("<a5>", error="model: 500")
    drop(story, "posts", -1)


def _repeat_after_timeout(story: Story) -> None:
    again(story, "posts", 5, seq=99)
    mend(story, "posts", 5, status=None)


def _repeat_after_refusal(story: Story) -> None:
    again(story, "posts", 5, seq=99)
    mend(story, "posts", 5, status=400)


def _backwards(story: Story) -> None:
    mend(story, "posts", 2, text="<a3> / <a2>")
    mend(story, "replies", 2, text="<a3> / <a2>")


def _failed(story: Story, *, refund: int, times: int = 1) -> None:
    story.hear("<a5>")
    turn_id = story.answer("<a5>", error="model: 500")
    story.history.balances["u1"] -= story.history.lines.pop().amount
    for _ in range(times if refund else 0):
        story.pay("u1", "refund", refund, turn_id)


def _unknown_given_back(story: Story) -> None:
    mend(story, "deliveries", 0, state="unknown")
    story.pay("u1", "refund", 1, "trn0")


# Of `told()`: accepted and inbox 0 a1, 1 b1, 2 z1, 3 a2, 4 a3, 5 a4; turns and replies 0 a1, 1 b1, 2 a2+a3,
# 3 z1, 4 a4; posts and deliveries the same, 4 and 5 being the parts of the last; lines 0 and 1 the grants,
# then a charge for each turn.
BAD: dict[str, tuple[str, Callable[[Story], object]]] = {
    "a message that was accepted and is not kept": (LOST, lambda s: drop(s, "inbox", 0)),
    "a message kept as another one": (LOST, lambda s: mend(s, "inbox", 0, provider_id="wamid.other")),
    "a message that is done and in no turn": (LOST, lambda s: mend(s, "inbox", 0, turn_id=None)),
    "a message in a turn that does not exist": (LOST, lambda s: mend(s, "inbox", 0, turn_id="trn99")),
    "a message that was thrown away": (LOST, lambda s: mend(s, "inbox", 0, status="ignored", turn_id=None)),
    "a failed message in a turn that is done": (LOST, lambda s: mend(s, "inbox", 0, status="failed")),
    "a turn that is done and said nothing": (LOST, lambda s: drop(s, "replies", 0)),
    "a reply without a delivery": (LOST, lambda s: drop(s, "deliveries", 0)),
    "a reply that forgot one message of a burst": (LOST, lambda s: mend(s, "replies", 2, text="<a2>")),
    "a reply that was sent and never posted": (LOST, lambda s: drop(s, "posts", 0)),
    "a reply of which half was posted": (LOST, lambda s: drop(s, "posts", 5)),
    "a post that was refused and counts as sent": (LOST, lambda s: mend(s, "posts", 0, status=400)),
    "another text on the wire": (LOST, lambda s: mend(s, "posts", 0, text="Hello")),
    "a reply that waits though its turn is done": (LOST, lambda s: mend(s, "deliveries", 0, state="pending")),
    "a fallback that was never posted": (LOST, _fallback_unposted),
    "one delivery posted twice": (DOUBLED, lambda s: again(s, "posts", 0, seq=99)),
    "one delivery posted twice, the first unanswered": (DOUBLED, _repeat_after_timeout),
    "one delivery posted twice, the first refused": (DOUBLED, _repeat_after_refusal),
    "a post nobody has stored": (DOUBLED, lambda s: again(s, "posts", 0, delivery_id="ghost")),
    "a turn with two replies": (DOUBLED, lambda s: again(s, "replies", 0, message_id="msg99")),
    "a part with two deliveries": (DOUBLED, lambda s: again(s, "deliveries", 0, delivery_id="dlv99")),
    "a message kept twice": (DOUBLED, lambda s: again(s, "inbox", 0, id=99)),
    "a message answered by two turns": (DOUBLED, lambda s: mend(s, "posts", 2, text="<a1> <a2> <a3>")),
    "two messages kept in the wrong order": (REORDERED, lambda s: swap(s, "inbox", 3, 4, "id")),
    "an older message answered by a later turn": (REORDERED, lambda s: swap(s, "inbox", 3, 5, "turn_id")),
    "replies sent in the wrong order": (REORDERED, lambda s: swap(s, "posts", 0, 2, "text", "delivery_id")),
    "a burst quoted backwards": (REORDERED, _backwards),
    "a transcript in the wrong order": (REORDERED, lambda s: swap(s, "inbox", 3, 4, "sequence_no")),
    "the parts of a reply backwards": (REORDERED, lambda s: swap(s, "posts", 4, 5, "seq")),
    "two turns of a customer at once": (OVERLAPPING, lambda s: mend(s, "turns", 2, created_at=12.0)),
    "a turn begun before the last one ended": (OVERLAPPING, lambda s: mend(s, "turns", 0, closed_at=31.0)),
    "a turn that never ended and another one": (OVERLAPPING, lambda s: mend(s, "turns", 0, closed_at=None)),
    "a turn charged twice": (CHARGES, lambda s: s.pay("u1", "charge", -1, "trn0")),
    "a turn that was free": (CHARGES, lambda s: drop(s, "lines", 2)),
    "a reply that was given back": (CHARGES, lambda s: s.pay("u1", "refund", 1, "trn0")),
    "a charge for nothing": (CHARGES, lambda s: s.pay("u1", "charge", -1, "trn99")),
    "a refund for nothing": (CHARGES, lambda s: s.pay("u1", "refund", 1, "trn99")),
    "a failed turn that was not given back": (CHARGES, lambda s: _failed(s, refund=0)),
    "a failed turn given back twice": (CHARGES, lambda s: _failed(s, refund=1, times=2)),
    "a failed turn given back too much": (CHARGES, lambda s: _failed(s, refund=2)),
    "a refused send that was not given back": (CHARGES, lambda s: mend(s, "deliveries", 0, state="failed")),
    "an unknown send that was given back": (CHARGES, _unknown_given_back),
    "a turn charged to somebody else": (CHARGES, lambda s: mend(s, "lines", 2, user="u2")),
    "a turn nobody could pay for and charged": (
        CHARGES, lambda s: mend(s, "turns", 0, state="failed", error="insufficient_credits"),
    ),
    "a balance the ledger does not explain": (BALANCES, lambda s: s.history.balances.update(u1=1)),
    "a balance below zero": (BALANCES, lambda s: s.pay("u1", "charge", -1000, "trn99")),
    "a broken chain of balances": (BALANCES, lambda s: mend(s, "lines", 3, balance_after=5)),
    "a missing line": (BALANCES, lambda s: drop(s, "lines", 3)),
    "a text of another tenant in a post": (FOREIGN, lambda s: mend(s, "posts", 0, text="<a1> <z1>")),
    "a text of another customer in a post": (FOREIGN, lambda s: mend(s, "posts", 0, text="<a1> <b1>")),
    "a text of another tenant told to the model": (FOREIGN, lambda s: mend(s, "asks", 0, text="<z1>")),
    "one conversation at OpenAI for two customers": (
        FOREIGN, lambda s: mend(s, "asks", 1, conversation=f"conv-n1-{ANN}"),
    ),
    "a reply to the wrong customer": (FOREIGN, lambda s: mend(s, "posts", 0, to=BOB, text="")),
    "a reply from the wrong number": (FOREIGN, lambda s: mend(s, "posts", 0, number="n2", text="")),
    "a message kept as another customer's": (FOREIGN, lambda s: mend(s, "inbox", 0, customer=BOB)),
    "a message in another customer's turn": (FOREIGN, lambda s: mend(s, "inbox", 0, turn_id="trn1")),
    "a message that waits": (OPEN, lambda s: mend(s, "inbox", 5, status="pending", turn_id=None)),
    "a message at work": (OPEN, lambda s: mend(s, "inbox", 5, status="processing")),
    "a turn that is claimed": (OPEN, lambda s: mend(s, "turns", 4, state="claimed", closed_at=None)),
    "a turn that is answered": (OPEN, lambda s: mend(s, "turns", 4, state="answered", closed_at=None)),
    "a send that never ended": (OPEN, lambda s: mend(s, "deliveries", 5, state="sending")),
    "a send that waits": (OPEN, lambda s: mend(s, "deliveries", 5, state="pending")),
}  # fmt: skip


class TestBad:
    @pytest.mark.parametrize("name", BAD)
    def test_is(self, name):
        expected, spoil = BAD[name]
        story = told()
        assert check(story.history).is_good

        spoil(story)

        report = check(story.history)
        assert expected in report.at_fault, report

    def test_is_what_was_accepted_last_of_two_and_answered_first(self):
        story = Story()
        story.hear("<a1>", "<a2>")
        story.answer("<a2>")
        story.answer("<a1>")

        assert check(story.history).at_fault == {REORDERED}

    def test_is_said_line_by_line_with_what_shows_it(self):
        story = told()
        again(story, "posts", 0, seq=99)

        said = str(check(story.history)).splitlines()

        assert said[0].split() == ["messages", "accepted", "6"]
        assert said[3].split() == ["doubled", "sends", "1"]
        assert "dlv0 was posted 2 times" in said[-1]
