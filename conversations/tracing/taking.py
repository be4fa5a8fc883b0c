"""Steps from the webhook to the claim: received, joined, claimed, ignored, not answered, dead letter."""

from collections.abc import Iterator

from config.lib import masking
from conversations.tracing.rows import Row, Rows
from conversations.tracing.steps import Rank, Step, made_at, plural, seconds


def steps(rows: Rows) -> Iterator[Step]:
    """Return what became of messages until their turn was claimed."""
    claims = {turn["turn_id"]: turn for turn in rows.turns}
    messages = {message["inbound_id"]: message for message in rows.messages if message["inbound_id"]}
    for row in rows.inbound:
        yield _received(row, claims.get(row["turn_id"]), rows)
        yield from _ended(row, messages.get(row["id"]), rows)
    for turn in rows.turns:
        yield _claimed(turn, [row for row in rows.inbound if row["turn_id"] == turn["turn_id"]])
    for letter in rows.dead_letters:
        yield from _dead_letter(letter)


def _received(row: Row, turn: Row | None, rows: Rows) -> Step:
    sentence = f"Message {row['id']} received: {row['kind']}, {masking.tail(row['provider_message_id'])}"
    if turn and row["received_at"] > turn["created_at"]:
        sentence += "; it joined the turn while the reply was being made"
    elif turn and row["id"] != min(other["id"] for other in rows.inbound if _is_with(other, row)):
        sentence += "; it joined the burst"
    facts = {"inbound_id": row["id"], "correlation_id": row["correlation_id"], "kind": row["kind"]}
    return Step(row["received_at"], Rank.RECEIVED, "message.received", f"{sentence}.", facts, row["text"])


def _is_with(other: Row, row: Row) -> bool:
    return bool(other["turn_id"] == row["turn_id"])


def _ended(row: Row, message: Row | None, rows: Rows) -> Iterator[Step]:
    """Return what became of a message that no turn answers, or not yet."""
    at, facts = row["received_at"], {"inbound_id": row["id"], "reason": row["reason"]}
    if row["status"] == "ignored":
        yield Step(at, Rank.STATE, "message.ignored", f"Message {row['id']} ignored: {row['reason']}.", facts)
    elif row["status"] == "pending":
        due = next((c["due_at"] for c in rows.customers if c["customer_id"] == row["customer_id"]), None)
        waits = f"Message {row['id']} still waits for a turn" + (f", due at {due:%H:%M:%S}" if due else "")
        yield Step(at, Rank.STATE, "message.waits", f"{waits}.", facts)
    elif row["turn_id"] is None and message is not None:
        stored = f"Stored in the conversation as {message['message_id']}, not answered: {row['reason']}."
        yield Step(made_at(message["message_id"]) or at, Rank.STATE, "message.not_answered", stored, facts)


def _claimed(turn: Row, inbound: list[Row]) -> Step:
    waiting = [row for row in inbound if row["received_at"] <= turn["created_at"]]
    sentence = f"Turn {turn['turn_id']} claimed"
    facts = {name: turn[name] for name in ("turn_id", "attempts", "drafts")}
    if waiting:
        waited = turn["created_at"] - min(row["received_at"] for row in waiting)
        facts |= {"messages": len(waiting), "waited_ms": round(1000 * waited.total_seconds())}
        sentence += f" {plural(len(waiting), 'message')}; the oldest had waited {seconds(waited)}"
    if turn["attempts"]:
        sentence += f"; its worker was lost {plural(turn['attempts'], 'time')} before the reply"
    return Step(turn["created_at"], Rank.CLAIMED, "turn.claimed", f"{sentence}.", facts)


def _dead_letter(letter: Row) -> Iterator[Step]:
    facts = {"dead_letter_id": letter["id"], "reason": letter["reason"]}
    kept = f"Kept as dead letter {letter['id']}: {letter['reason']}."
    yield Step(letter["received_at"], Rank.RECEIVED, "dead_letter.kept", kept, facts)
    if letter["replayed_at"]:
        replayed = f"Dead letter {letter['id']} replayed."
        yield Step(letter["replayed_at"], Rank.STATE, "dead_letter.replayed", replayed, facts)
