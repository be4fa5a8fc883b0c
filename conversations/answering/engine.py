"""
The engine: claims turns of the numbers it is woken for, and leads each through its steps to its end.

It runs on the process's event loop, where each turn is a task; what a step does stands in the step's module.
Each step begins from what the turn's row says, so another process that takes a turn over goes on there.
"""

import asyncio
import functools
from collections import Counter
from contextvars import Context
from functools import partial

import structlog
from django.conf import settings

from agents import unanswered
from channels_app.models import PhoneNumber
from channels_app.webchat import pubsub
from config.lib import errors, event_loop, failpoints, metrics, shutdown, sql
from conversations import leases
from conversations.answering import ask, claim, number_locks, send
from conversations.answering import steps as steps_
from conversations.answering.claim import Candidate, Claimed, ClaimFailedError
from conversations.answering.open_turn import OpenTurn
from conversations.answering.send import Posted
from conversations.answering.steps import MOST, Steps
from conversations.leases import LeaseLostError
from conversations.posting import Outcome, Posting, post

log = structlog.get_logger(__name__)

# Numbers of one claim.
NUMBERS = 100
# Seconds until a number is looked at again on which another process claims at this moment.
BUSY_PAUSE = 0.02
# Seconds until a claim is repeated that Postgres did not take.
AWAY_PAUSE = 0.5
# A customer whose claim failed so often in a row is put aside.
MOST_FAILURES = 3


class Engine:
    """Answers on the numbers it is woken for; its methods are called on the event loop."""

    def __init__(self, steps: Steps, *, most_open: int, quarantined: bool = False) -> None:
        self._steps = steps
        self._most_open = most_open
        self._quarantined = quarantined
        # Numbers to claim on, the longest waiting first.
        self._woken: dict[str, None] = {}
        self._claiming: asyncio.Task[None] | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._failures: Counter[str] = Counter()
        # Numbers on which another process claimed a moment ago.
        self._contested: set[str] = set()
        self._idle = asyncio.Event()
        self.answered = 0

    @property
    def open_turns(self) -> int:
        """How many turns are open."""
        return len(self._open)

    def wake(self, *numbers: str) -> None:
        """Claim on these numbers as soon as there is room."""
        self._woken.update(dict.fromkeys(numbers))
        if self._claiming is None and self._has_room():
            self._idle.clear()
            # What several numbers share is logged under no message's correlation id.
            self._claiming = asyncio.create_task(self._claim_all(), context=Context())
        self._note_idle()

    async def wait_until_idle(self) -> None:
        """Wait until nothing is left to claim and every turn has ended."""
        await self._idle.wait()

    def _has_room(self) -> bool:
        is_stopping = shutdown.is_stopping.is_set()
        return bool(self._woken) and len(self._open) < self._most_open and not is_stopping

    async def _claim_all(self) -> None:
        try:
            while self._has_room():
                numbers = list(self._woken)[:NUMBERS]
                for number in numbers:
                    del self._woken[number]
                try:
                    async with steps_.rested():
                        await self._claim(numbers)
                except Exception as error:  # noqa: BLE001  (the numbers are looked at again)
                    log.warning("claim.failed", numbers=len(numbers), reason=errors.summary(error))
                    asyncio.get_running_loop().call_later(AWAY_PAUSE, partial(self.wake, *numbers))
        finally:
            self._claiming = None
            self._note_idle()

    def _note_idle(self) -> None:
        if self._claiming is None and not self._open:
            self._idle.set()

    # --- Claiming

    async def _claim(self, numbers: list[str]) -> None:
        room = min(MOST, self._most_open - len(self._open))
        contested = [number for number in numbers if number in self._contested]
        # Turns that are claimed by now are not given up by a process that stops.
        with leases.working():
            try:
                claimed = await self._steps.claim(self._claim_locked, numbers, contested, room)
            except ClaimFailedError as error:
                await self._claim_one_by_one(error)
                self._woken.update(dict.fromkeys(numbers))
                return
            self._begin(claimed)
        self._woken.update(dict.fromkeys(number for number in numbers if number in claimed.more))
        self._contested = claimed.busy | (self._contested - set(numbers))
        if claimed.busy:
            asyncio.get_running_loop().call_later(BUSY_PAUSE, partial(self.wake, *claimed.busy))
        await self._report_unanswered(claimed)

    def _claim_locked(self, numbers: list[str], contested: list[str], most: int) -> Claimed:
        """Claim; on numbers where another process claimed a moment ago only if Redis has no lock on them."""
        tokens = number_locks.acquire(contested) if contested else {}
        taken = set(contested) - tokens.keys()
        try:
            claimed = claim.claim(
                [number for number in numbers if number not in taken],
                most=most,
                quarantined=self._quarantined,
            )
        finally:
            if tokens:
                number_locks.release(tokens)
        claimed.busy |= taken
        return claimed

    async def _claim_one_by_one(self, failed: ClaimFailedError) -> None:
        """Claim each customer of a failed claim alone; who fails again and again is put aside."""
        log.warning("claim.taken_apart", customers=len(failed.customers), reason=errors.summary(failed))
        for customer_id, number in failed.customers.items():
            claim_one = partial(claim.claim, [number], most=1, customer_id=customer_id)
            try:
                claimed = await self._steps.claim(claim_one)
            except ClaimFailedError as error:
                self._failures[customer_id] += 1
                if self._failures[customer_id] >= MOST_FAILURES:
                    del self._failures[customer_id]
                    reason = f"claim_failed: {errors.summary(error.__cause__ or error)}"
                    await self._steps.claim(partial(claim.put_aside, customer_id=customer_id, reason=reason))
            else:
                self._failures.pop(customer_id, None)
                self._begin(claimed)

    async def _report_unanswered(self, claimed: Claimed) -> None:
        for number in claimed.without_agent:
            log.warning("number.nobody_answers", phone_number_id=number)
            await self._steps.claim(partial(unanswered.report, phone_number_id=number))

    def _begin(self, claimed: Claimed) -> None:
        for candidate in claimed.candidates:
            task = asyncio.create_task(self._answer(candidate))
            self._open.add(task)
            task.add_done_callback(partial(self._end, candidate.turn))

    # --- Answering

    async def _answer(self, candidate: Candidate) -> None:
        turn = candidate.turn
        structlog.contextvars.bind_contextvars(correlation_id=turn.correlation_id, turn_id=turn.turn_id)
        with leases.working():
            try:
                with leases.held(turn.lease_token, since=turn.claimed_at):
                    await self._lead(candidate)
            except LeaseLostError:
                log.warning("turn.lease_lost")
            except Exception as error:
                if not sql.is_unavailable(error):
                    log.exception("turn.crashed")
                else:
                    # Postgres was away for too long: the lease runs out, and the next holder goes on.
                    log.warning("turn.postgres_away", reason=type(error).__name__)
            else:
                metrics.TURNS.labels(turn.state).observe(turn.age_ms / 1000)
                log.info("turn.ended", state=turn.state, phone_number_id=turn.phone_number_id, ms=turn.age_ms)
            if turn.settings.channel == PhoneNumber.Type.WEBCHAT:
                await asyncio.to_thread(pubsub.publish, turn.customer_id)
        self.answered += 1
        failpoints.reach("P15", about=turn.phone_number_id)

    def _end(self, turn: OpenTurn, task: asyncio.Task[None]) -> None:
        self._open.discard(task)
        # Without a number, too: there is room again for those that waited for it.
        self.wake(*([turn.phone_number_id] if turn.anything_waits else []))

    async def _lead(self, candidate: Candidate) -> None:
        """Bring a turn that this process holds to its end."""
        turn = candidate.turn
        if candidate.copy is not None:
            await ask.ask(turn, candidate.copy, self._steps)
        elif turn.is_resumed:
            await self._steps.alone(send.give_up_sending, turn, until=turn.deadline)
        if turn.state == "answered":
            failpoints.reach("P9", about=turn.phone_number_id)
            await self._deliver(turn)

    async def _deliver(self, turn: OpenTurn) -> None:
        """
        Send what of the turn's reply has not been sent, part after part, and end the turn.

        :raises LeaseLostError: if another process holds the turn
        """
        while (posting := await self._begin_sending(turn)) is not None:
            failpoints.reach("P10", about=turn.phone_number_id)
            outcome = await post(posting, may_go=partial(send.may_go, turn))
            failpoints.reach("P11", about=turn.phone_number_id)
            if await self._finish(turn, posting, outcome):
                turn.state = "done"
                return
            failpoints.reach("P13", about=turn.phone_number_id)
        await self._steps.alone(send.end, turn, until=_finish_until(turn))
        turn.state = "done"

    async def _begin_sending(self, turn: OpenTurn) -> Posting | None:
        if not send.has_time_to_send(turn):
            raise LeaseLostError  # the next holder sends what is pending
        return await self._steps.begin(turn, until=turn.deadline)

    async def _finish(self, turn: OpenTurn, posting: Posting, outcome: Outcome) -> bool:
        """Store how a POST ended, and return whether the turn ended with it, as it mostly does."""
        until = _finish_until(turn)
        is_last = outcome.state == "sent" and posting.is_last
        if is_last and await self._steps.finish(Posted(turn, posting, outcome), until=until):
            return True
        await self._steps.alone(
            send.finish_sending, posting, outcome, turn.lease_token, turn.turn_id, until=until
        )
        return False


def _finish_until(turn: OpenTurn) -> float:
    """Return until when it is tried to store how a turn's POST ended: longer than anything else."""
    return turn.deadline + float(settings.TURN_LEASE) / 1000


@functools.cache
def _engine() -> Engine:
    """Return the engine of this process."""
    engine = Engine(steps_.in_threads(), most_open=settings.WORKER_CONCURRENCY)
    metrics.OPEN_TURNS.set_function(lambda: engine.open_turns)
    return engine


def wake(phone_number_id: str) -> None:
    """Wake this process's engine for a number; returns at once."""
    event_loop.get().call_soon_threadsafe(lambda: _engine().wake(phone_number_id))


def drain(phone_number_id: str, *, quarantined: bool = False, most_open: int = 1) -> int:
    """
    Answer what waits on a number, with the caller's thread for the database, and return how many turns.

    Turns that lost their holder again and again are taken up only if `quarantined`, and then nothing else.
    Where another process claims, or Postgres is away, nothing is answered.
    """
    caller = steps_.Caller()

    async def work() -> int:
        engine = Engine(caller.steps(), most_open=most_open, quarantined=quarantined)
        engine.wake(phone_number_id)
        await engine.wait_until_idle()
        return engine.answered

    return caller.serve(asyncio.run_coroutine_threadsafe(work(), event_loop.get()))
