"""Findings from our own rows."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from agents import number_states
from agents.number_states import NumberState
from config.lib import heartbeat
from conversations import reasons
from conversations.diagnosis.findings import Finding, Level, Remedy, ago, ok, span
from conversations.service_window import WINDOW

# A message that waits for longer than this is not merely being answered.
_LONG = timedelta(minutes=2)


def findings(phone_number_id: str, facts: dict[str, Any]) -> Iterator[Finding]:
    """Yield a finding for each part."""
    state = number_states.states([phone_number_id])[phone_number_id]
    now = facts["now"]
    if facts["deleted_at"]:
        text = f"The number was deleted {ago(facts['deleted_at'], now)}."
        yield Finding("number", Level.PROBLEM, text, "Register it again.", Remedy.REGISTER, facts["user_id"])
        return
    yield _agent(facts)
    if facts["agent_id"]:
        yield _prompt(facts)
    yield _credits(facts)
    yield _account(facts)
    yield _workers()
    yield _queue(facts)
    yield _turns(facts)
    yield _paused(facts)
    yield _received(facts, state)
    if facts["type"] != "webchat":
        yield _window(state, now)
    yield _sending(facts, state)


def _agent(facts: dict[str, Any]) -> Finding:
    if facts["agent_id"]:
        return ok("agent", f"The agent {facts['agent_name']} ({facts['agent_id']}) answers here.")
    return Finding(
        "agent",
        Level.PROBLEM,
        "No agent is on this number, so nobody answers.",
        "Put an agent on the number. What waits is then answered by itself.",
        Remedy.CREATE_AGENT,
        facts["user_id"],
    )


def _prompt(facts: dict[str, Any]) -> Finding:
    prompt_id, agent_id = facts["prompt_id"], facts["agent_id"]
    if not facts["has_prompt"]:
        return Finding(
            "prompt",
            Level.PROBLEM,
            f"The agent names the prompt {prompt_id}, which is no prompt of the business; OpenAI has ended "
            "those of its dashboard.",
            "Import the prompt's text, or give the agent another prompt.",
            Remedy.IMPORT_PROMPT,
            agent_id,
        )
    if facts["version"] is None:
        return Finding(
            "prompt",
            Level.PROBLEM,
            f"The prompt {prompt_id} has no version {facts['wanted_version']}.",
            "Give the agent a version that exists.",
            Remedy.EDIT_AGENT,
            agent_id,
        )
    if facts["model_ended_on"]:
        return Finding(
            "prompt",
            Level.PROBLEM,
            f"The prompt uses {facts['model']}, which OpenAI shut down on {facts['model_ended_on']}.",
            "Publish a version of the prompt with another model.",
            Remedy.EDIT_AGENT,
            agent_id,
        )
    return ok("prompt", f"The prompt {prompt_id}, version {facts['version']}, uses {facts['model']}.")


def _credits(facts: dict[str, Any]) -> Finding:
    left = facts["credits"]
    if left >= facts["price"]:
        return ok("credits", f"The business has {left} credits.")
    return Finding(
        "credits",
        Level.PROBLEM,
        f"The business has {left} credits; a reply costs {facts['price']}. Its messages are rejected.",
        "Grant credits, then replay the rejected messages.",
        Remedy.GRANT,
        facts["user_id"],
    )


def _account(facts: dict[str, Any]) -> Finding:
    if facts["keys"]:
        keys = facts["keys"]
        return ok("account", f"The business has {keys} working API key{'' if keys == 1 else 's'}.")
    return Finding(
        "account",
        Level.WARNING,
        "The business has no working API key: its own systems cannot call the service. Customers are "
        "answered all the same.",
        "Create a key, if the business uses the API.",
        Remedy.CREATE_KEY,
        facts["user_id"],
    )


def _workers() -> Finding:
    fresh = {beat.role for beat in heartbeat.read() if beat.is_fresh}
    if "worker" in fresh:
        return ok("workers", "A worker is running.")
    return Finding(
        "workers",
        Level.PROBLEM,
        "No worker is running, so nothing is answered on any number.",
        "Start the process `worker` of the Procfile.",
    )


def _queue(facts: dict[str, Any]) -> Finding:
    count, oldest, now = facts["waiting"], facts["oldest"], facts["now"]
    if not count:
        return ok("queue", "No message waits.")
    text = f"{count} message{'' if count == 1 else 's'} wait{'s' if count == 1 else ''}"
    text += f", the oldest for {span(now - oldest)}."
    if now - oldest < _LONG:
        return ok("queue", text)
    return Finding(
        "queue",
        Level.PROBLEM,
        text,
        "Solve the other problems listed here first; the messages are then answered in their order.",
        Remedy.SEE_WAITING,
    )


def _turns(facts: dict[str, Any]) -> Finding:
    if facts["stuck"]:
        return Finding(
            "turns",
            Level.WARNING,
            f"{facts['stuck']} of {facts['open']} open turns have lost their worker for over a minute.",
            "Check that the workers and the sweeper run: the sweeper hands lost turns to another worker.",
        )
    text = "No turn is open." if not facts["open"] else f"{facts['open']} turns are being answered now."
    return ok("turns", text)


def _paused(facts: dict[str, Any]) -> Finding:
    count = facts["paused"]
    if not count:
        return ok("pauses", "The AI is paused for no customer.")
    return Finding(
        "pauses",
        Level.WARNING,
        f"The AI is paused for {count} customer{'' if count == 1 else 's'}: a person is to answer them.",
        "Resume the conversations that the AI is to answer again.",
        Remedy.RESUME if facts["paused_conversation"] else None,
        facts["paused_conversation"] or "",
    )


def _received(facts: dict[str, Any], state: NumberState) -> Finding:
    now, received_at = facts["now"], state.last_received_at
    newest = max((at for at in (received_at, facts["last_event_at"]) if at is not None), default=None)
    text = f"The last message came {ago(received_at, now)}, the last webhook of any kind {ago(newest, now)}."
    action = "Check at Meta that the webhook leads here and that the app is subscribed to `messages`."
    if received_at is None:
        if facts["type"] == "webchat":
            return ok("webhooks", "Nobody has written yet.")
        return Finding("webhooks", Level.WARNING, "Nothing has ever come in for this number.", action)
    silent_at = facts["silent_at"]
    if silent_at is not None and received_at < silent_at:
        return Finding(
            "webhooks", Level.PROBLEM, f"Messages used to come in and no longer do. {text}", action
        )
    return ok("webhooks", text)


def _window(state: NumberState, now: datetime) -> Finding:
    received_at = state.last_received_at
    if received_at is not None and received_at > now - WINDOW:
        return ok("window", "Customers wrote within the last 24 hours and may be written to.")
    return Finding(
        "window",
        Level.WARNING,
        "No customer wrote within the last 24 hours, so the channel takes no message to any of them.",
        "Wait for a customer to write: the business cannot begin.",
    )


def _sending(facts: dict[str, Any], state: NumberState) -> Finding:
    now, alarmed_at, sent_at = facts["now"], facts["alarmed_at"], state.last_sent_at
    if alarmed_at is not None and (sent_at is None or sent_at < alarmed_at):
        return Finding(
            "channel",
            Level.PROBLEM,
            f"The channel has refused everything since {ago(alarmed_at, now)}: {facts['alarm_code']} "
            f"{facts['alarm_reason']}".rstrip(),
            "Act on the reason at Meta; if it is about the token, put a new one in.",
            Remedy.EDIT_NUMBER,
        )
    if facts["failed"]:
        reason = reasons.parse(facts["failure_reason"] or "")
        return Finding(
            "channel",
            Level.WARNING,
            f"{facts['failed']} messages failed within a day, most of them because: {reason.message}",
            "Look at the failed messages, solve the cause and retry them.",
            Remedy.SEE_FAILED,
        )
    return ok("channel", f"The last message was sent {ago(sent_at, now)}.")
