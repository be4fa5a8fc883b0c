"""The steps of answering, taken one by one in a test's own thread."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from config.lib import event_loop
from conversations.answering import ask, engine, openai_copy, send, store
from conversations.answering import claim as claiming
from conversations.answering.engine import Engine
from conversations.answering.open_turn import OpenTurn
from conversations.answering.steps import Caller
from conversations.posting import Outcome, Posting


def claim(phone_number_id: str, *, quarantined: bool = False) -> OpenTurn | None:
    """Claim one turn of a number; None where there is none to claim."""
    while True:
        claimed = claiming.claim([phone_number_id], most=1, quarantined=quarantined)
        if claimed.candidates:
            return claimed.candidates[0].turn
        if not claimed.more:
            return None


def drain(phone_number_id: str, *, quarantined: bool = False) -> int:
    """Answer what waits on a number, and return how many turns that were."""
    return engine.drain(phone_number_id, quarantined=quarantined)


def store_reply(turn: OpenTurn, *, text: str, tokens_used: int = 0, **origin: Any) -> bool:
    """Store a reply of the model; False if what the customer wrote in the meantime is in the turn now."""
    draft = store.draft(turn, text=text, tokens_used=tokens_used, origin=store.Origin(**origin))
    return store.store_drafts([draft])[0] or not store.join(draft)


def answer(turn: OpenTurn) -> None:
    """Lead a claimed turn to its end."""
    candidate = claiming.candidate(turn)
    _run(lambda leading: leading._answer(candidate))


def deliver(turn: OpenTurn) -> None:
    """Send the stored reply of a turn, and end it."""
    _run(lambda leading: leading._deliver(turn))


def begin(turn: OpenTurn) -> Posting | None:
    """Mark the next part of a turn's reply as being sent, and return it."""
    return send.begin([turn])[0]


def finish(turn: OpenTurn, posting: Posting, *outcome: Any) -> None:
    """Store how the POST of a part ended."""
    _run(lambda leading: leading._finish(turn, posting, Outcome(*outcome)))


def ask_once(turn: OpenTurn) -> str:
    """Ask the model, store nothing, and return its reply."""
    asked: list[str] = []

    copy = openai_copy.read(turn)

    async def work(leading: Engine) -> None:
        reply, _ = await ask._reply(turn, copy, leading._steps)
        asked.append(reply.text)

    _run(work)
    return asked[0]


def answer_once(turn: OpenTurn) -> bool:
    """Ask the model, and return whether its reply was stored."""
    answered: list[bool] = []
    copy = openai_copy.read(turn)

    async def work(leading: Engine) -> None:
        answered.append(await ask._is_answered(turn, copy, leading._steps))

    _run(work)
    return answered[0]


def _run(work: Callable[[Engine], Coroutine[Any, Any, object]]) -> None:
    caller = Caller()

    async def run() -> None:
        await work(Engine(caller.steps(), most_open=1))

    caller.serve(asyncio.run_coroutine_threadsafe(run(), event_loop.get()))
