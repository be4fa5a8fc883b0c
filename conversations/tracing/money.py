"""Steps from the claim to the reply and the end of the turn: charged, answered, refunded, ended."""

from collections.abc import Iterator

from config.lib import masking
from conversations.tracing.rows import Row, Rows
from conversations.tracing.steps import Rank, Step, plural, seconds

_OWN_TEXTS = {
    "fallback": "The model did not answer: the agent's fallback message was stored",
    "unavailable": "The business is out of credits: the agent's unavailable message was stored",
    "handover": "The model asked for a person: the AI is paused, and a handover message was stored",
}


def steps(rows: Rows) -> Iterator[Step]:
    """Return what turns cost and how they ended."""
    for entry in rows.credits:
        yield _entry(entry)
    replies = {message["turn_id"]: message for message in rows.messages if message["author"] == "ai"}
    for turn in rows.turns:
        if turn["answered_at"] and (reply := replies.get(turn["turn_id"])):
            yield _reply(turn, reply, rows)
        yield from _end(turn)


def _entry(entry: Row) -> Step:
    credits_ = plural(abs(entry["amount"]), "credit")
    facts = {name: entry[name] for name in ("amount", "reference", "balance_after")}
    if entry["kind"] == "charge":
        sentence = f"{credits_} charged; {entry['balance_after']} left."
        return Step(entry["created_at"], Rank.CHARGED, "credits.charged", sentence, facts)
    sentence = f"{credits_} refunded: {masking.masked(entry['reason'])}."
    return Step(entry["created_at"], Rank.REFUNDED, "credits.refunded", sentence, facts)


def _reply(turn: Row, reply: Row, rows: Rows) -> Step:
    parts = {d["part"] for d in rows.deliveries if d["message_id"] == reply["message_id"]}
    took = seconds(turn["answered_at"] - turn["created_at"])
    model = rows.models.get((turn["snapshot"].get("prompt_id"), turn["snapshot"].get("prompt_version")), "")
    if (sentence := _OWN_TEXTS.get(reply["kind"], "")) == "":
        took_text = f"{model or 'The default model'} answered {took} after the claim"
        drafts = (
            f"; {plural(turn['drafts'], 'draft')} discarded, the customer wrote on" if turn["drafts"] else ""
        )
        sentence = (
            f"{took_text}: {reply['tokens_used']} tokens, {reply['openai_response_id']}{drafts}; stored"
        )
    facts = {
        "turn_id": turn["turn_id"],
        "message_id": reply["message_id"],
        "kind": reply["kind"],
        "model": model,
        "tokens": reply["tokens_used"],
        "response_id": reply["openai_response_id"],
        "parts": len(parts),
    }
    whole = f"{sentence} as {reply['message_id']}, {plural(len(parts), 'part')}."
    return Step(turn["answered_at"], Rank.REPLIED, "reply.stored", whole, facts, reply["text"])


def _end(turn: Row) -> Iterator[Step]:
    error = masking.masked(turn["error"])
    facts = {"turn_id": turn["turn_id"], "state": turn["state"], "error": error}
    if turn["closed_at"]:
        took = seconds(turn["closed_at"] - turn["created_at"])
        ended = f"Turn {turn['turn_id']} ended after {took}: {turn['state']}{f', {error}' if error else ''}."
        yield Step(turn["closed_at"], Rank.ENDED, "turn.ended", ended, facts)
    else:
        later = f" until {turn['not_before']:%H:%M:%S}" if turn["not_before"] else ""
        is_open = f"Turn {turn['turn_id']} is open: {turn['state']}{', deferred' + later if later else ''}."
        yield Step(turn["answered_at"] or turn["created_at"], Rank.STATE, "turn.open", is_open, facts)
