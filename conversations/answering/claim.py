"""
Claiming: the only critical section. One short transaction, under the claim locks of its numbers.

It takes over turns whose holder died before it opens new ones. Then it opens a turn for each due customer who
has no open turn: what they wrote becomes messages of the conversation, and the credit is taken. Within a
number the oldest waiting message goes first; between businesses, and between the numbers of one, slots go
round. What a paused customer wrote becomes messages too, but no turn.
"""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction

from billing import ledger
from channels_app.models import PhoneNumber
from channels_app.webchat import pubsub
from config.lib import failpoints, ids, locks, metrics, sql
from config.lib.locks import Lock
from conversations import takeover
from conversations.answering import append_messages, openai_copy, store
from conversations.answering.append_messages import Recipient
from conversations.answering.claim_queries import (
    HEADS_SQL,
    HOW_NUMBERS_ARE_SERVED_SQL,
    PUT_ASIDE_SQL,
    RESUME_SQL,
    TELL_ONCE_A_DAY_SQL,
)
from conversations.answering.open_turn import (
    QUARANTINED_AFTER,
    AnswerSettings,
    OpenTurn,
    close,
    deadline,
    resumed,
)
from conversations.answering.openai_copy import Copy
from conversations.reasons import NO_CREDITS

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Candidate:
    """A claimed turn, and OpenAI's copy of its conversation as it is read with the claim (None: not read)."""

    turn: OpenTurn
    copy: Copy | None = None


@dataclass(slots=True)
class Claimed:
    """
    What a claim found.

    More waits on the numbers in `more`, another process claims on those in `busy`, and no agent answers on
    those in `without_agent`.
    """

    candidates: list[Candidate] = field(default_factory=list)
    more: set[str] = field(default_factory=set)
    busy: set[str] = field(default_factory=set)
    without_agent: set[str] = field(default_factory=set)


class ClaimFailedError(Exception):
    """A claim was refused because of the rows of these customers, by customer id and number."""

    def __init__(self, customers: dict[str, str]) -> None:
        self.customers = customers
        super().__init__(f"the claim of {len(customers)} customers failed")


@transaction.atomic
def claim(
    numbers: Collection[str], *, most: int, quarantined: bool = False, customer_id: str | None = None
) -> Claimed:
    """
    Claim at most `most` turns of these numbers.

    Turns that lost their holder again and again are for `quarantined` claims, which take nothing else. With a
    `customer_id` a new turn is opened for this customer only.

    :raises ClaimFailedError: if what customers wrote could not be stored; nothing was claimed
    """
    for number in numbers:
        failpoints.reach("P6", about=number)
    # Before any statement: by the clock of Postgres each lease ends later than by ours.
    until = deadline()
    served = _lock(numbers)
    found = Claimed(busy={number for number in numbers if number not in served})
    if not served:
        return found
    found.candidates = _resume(list(served), until=until, most=most, quarantined=quarantined)
    if len(found.candidates) == most:
        found.more.update(served)
    elif not quarantined:
        most -= len(found.candidates)
        _claim_new(found, served, until=until, most=most, customer_id=customer_id)
    _read_copies(found.candidates)
    return found


def candidate(turn: OpenTurn) -> Candidate:
    """Return a turn with what its next step needs."""
    found = Candidate(turn)
    _read_copies([found])
    return found


def _read_copies(candidates: Sequence[Candidate]) -> None:
    unanswered = [candidate for candidate in candidates if candidate.turn.state == "claimed"]
    for candidate, copy in zip(
        unanswered, openai_copy.read_all([each.turn for each in unanswered]), strict=True
    ):
        candidate.copy = copy


def put_aside(*, customer_id: str, reason: str) -> None:
    """Mark what waits of a customer as failed: it can be seen and replayed, and blocks nothing."""
    sql.execute(PUT_ASIDE_SQL, {"customer": customer_id, "reason": reason[:255]})
    log.error("customer.put_aside", customer_id=customer_id, reason=reason)


def _lock(numbers: Collection[str]) -> dict[str, bool]:
    """Lock the numbers on which nobody else claims, and return whether an agent answers on them."""
    keys = [locks.key(number) for number in numbers]
    rows = sql.rows(
        HOW_NUMBERS_ARE_SERVED_SQL, {"lock": Lock.CLAIM.value, "keys": keys, "numbers": list(numbers)}
    )
    return {row["phone_number_id"]: row["has_agent"] for row in rows}


# --- Turns whose holder died -------------------------------------------------------------------------


def _resume(numbers: list[str], *, until: float, most: int, quarantined: bool) -> list[Candidate]:
    rows = sql.rows(
        RESUME_SQL,
        {
            "numbers": numbers,
            "most": most,
            "lease": settings.TURN_LEASE / 1000,
            "deadline": settings.TURN_DEADLINE / 1000,
            "quarantined": quarantined,
            "quarantined_after": QUARANTINED_AFTER,
        },
    )
    turns = [resumed(row, row["lease_token"], until=until) for row in rows]
    for turn in turns:
        log.warning(
            "turn.resumed",
            correlation_id=turn.correlation_id,
            turn_id=turn.turn_id,
            state=turn.state,
            attempts=turn.attempts,
        )
    return [Candidate(turn) for turn in turns]


# --- New turns ---------------------------------------------------------------------------------------


def _claim_new(
    found: Claimed, served: dict[str, bool], *, until: float, most: int, customer_id: str | None
) -> None:
    heads = sql.rows(
        HEADS_SQL,
        {
            "numbers": [number for number, has_agent in served.items() if has_agent],
            "concurrency": settings.PHONE_NUMBER_CONCURRENCY,
            "window": settings.REPLY_BUDGET_WINDOW / 1000,
            "most": most,
            "customer": customer_id,
        },
    )
    found.without_agent = {number for number, has_agent in served.items() if not has_agent}
    if not heads:
        return
    found.more.update(head["phone_number_id"] for head in heads if head["is_full"])
    if heads[0]["is_cut"]:
        found.more.update(served)
    try:
        with transaction.atomic(savepoint=False):
            found.candidates += _take_up(heads, until=until)
    except Exception as error:
        if sql.is_unavailable(error) or sql.is_about_schema(error):
            raise
        raise ClaimFailedError({head["customer_id"]: head["phone_number_id"] for head in heads}) from error


def _take_up(heads: list[dict[str, Any]], *, until: float) -> list[Candidate]:
    over_budget = [
        head for head in heads if not head["is_paused"] and head["answered"] >= settings.REPLY_BUDGET
    ]
    for head in over_budget:
        takeover.pause(customer_id=head["customer_id"], reason="reply_budget")
    paused = [head for head in heads if head["is_paused"]]
    open_ = [head for head in heads if head not in paused and head not in over_budget]
    if paused:
        append_messages.append([_recipient(head) for head in paused])
    return _open(open_, until=until) if open_ else []


def _recipient(head: dict[str, Any]) -> Recipient:
    return Recipient(
        customer_id=head["customer_id"],
        phone_number_id=head["phone_number_id"],
        registered_at=head["registered_at"],
        user_id=head["user_id"],
        agent_id=head["agent_id"],
        address=head["address"],
    )


def _open(heads: list[dict[str, Any]], *, until: float) -> list[Candidate]:
    """Open a turn for each customer of whom anything may be answered, and charge it."""
    recipients = [_recipient(head) for head in heads]
    for recipient, head in zip(recipients, heads, strict=True):
        metrics.CLAIM_WAIT.observe(head["waited"])
        recipient.turn_id, recipient.token = ids.new("trn"), str(uuid.uuid4())
        recipient.settings = AnswerSettings.from_json({**head, "price": settings.CREDITS_PER_REPLY})
    conversations = append_messages.append(recipients)
    turns = [_turn(recipient, conversations[recipient.customer_id], until=until) for recipient in recipients
             if recipient.customer_id in conversations]  # fmt: skip
    unpaid = ledger.charge_all(
        [(turn.settings.user_id, turn.turn_id) for turn in turns], amount=settings.CREDITS_PER_REPLY
    )
    notices = {head["customer_id"]: head["unavailable_message"] for head in heads}
    rejected = [turn for turn in turns if turn.turn_id in unpaid]
    answered = [turn for turn in turns if turn.turn_id not in unpaid]
    for turn in answered:
        failpoints.reach("P21", about=turn.phone_number_id)
    return [Candidate(turn) for turn in answered + _reject(rejected, notices)]


def _turn(recipient: Recipient, conversation_id: str, *, until: float) -> OpenTurn:
    assert recipient.turn_id
    assert recipient.token
    assert recipient.settings
    return OpenTurn(
        turn_id=recipient.turn_id,
        lease_token=recipient.token,
        state="claimed",
        phone_number_id=recipient.phone_number_id,
        customer_id=recipient.customer_id,
        conversation_id=conversation_id,
        settings=recipient.settings,
        attempts=0,
        drafts=0,
        deadline=until,
        is_resumed=False,
    )


def _reject(turns: Sequence[OpenTurn], notices: dict[str, str]) -> list[OpenTurn]:
    """Keep the messages of customers of a business without credits; return the turns that send a notice."""
    if not turns:
        return []
    wanted = [turn.customer_id for turn in turns if notices[turn.customer_id].strip()]
    notified = {row["customer_id"] for row in sql.rows(TELL_ONCE_A_DAY_SQL, [wanted])} if wanted else set()
    for turn in turns:
        log.warning(
            "turn.rejected",
            correlation_id=turn.correlation_id,
            turn_id=turn.turn_id,
            user_id=turn.settings.user_id,
            reason=NO_CREDITS,
        )
        if turn.customer_id in notified:
            store.store_notice(turn, text=notices[turn.customer_id], kind="unavailable", error=NO_CREDITS)
    unnotified = [turn for turn in turns if turn.customer_id not in notified]
    close([turn.turn_id for turn in unnotified], error=NO_CREDITS)
    for turn in unnotified:
        if turn.settings.channel == PhoneNumber.Type.WEBCHAT:
            pubsub.publish(turn.customer_id)
    return [turn for turn in turns if turn.customer_id in notified]
