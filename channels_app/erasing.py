"""Erases one customer from the tables of this room, and from bodies that several customers share."""

import hashlib
from collections.abc import Collection, Sequence
from datetime import datetime

from django.db import transaction

from channels_app import dead_letters, shared_bodies, spool, tombstones
from channels_app.ignored import IgnoredReason
from channels_app.models import Customer, DeadLetter, UnsentPicture
from channels_app.webchat import files
from config.lib import ids, locks, sql
from config.lib.locks import Lock

BATCH = 1000
_BODIES = 50
_ENTRIES = 100


def lock(customer_id: str) -> Customer:
    """
    Lock a customer's number against claims and webhooks, then the customer; needs a transaction.

    :raises Customer.DoesNotExist: if there is none
    """
    number = Customer.objects.values_list("phone_number_id", flat=True).get(pk=customer_id)
    locks.take(Lock.CLAIM, number)
    locks.take(Lock.INTAKE, number)
    return Customer.objects.select_for_update().get(pk=customer_id)


def ids_of(customer: Customer) -> dict[str, str]:
    """Return the ids under which the channel knows a customer."""
    return {name: value for name in tombstones.IDS if (value := getattr(customer, name))}


def detach(customer: Customer) -> None:
    """
    Take from a locked customer everything that says who they are, and have nothing of theirs answered.

    The row stays until what hangs on it is gone; what they write anew belongs to a new customer.
    """
    customer.wa_id = customer.bsuid = customer.ig_id = customer.external_id = None
    customer.visitor_id = ids.new("erased")
    customer.name = customer.username = customer.pause_reason = ""
    customer.due_at = customer.paused_until = customer.told_unavailable_at = None
    customer.save()
    sql.execute(_IGNORE_WAITING_SQL, [IgnoredReason.ERASED, customer.pk])


def messages_of(customer_id: str) -> list[str]:
    """Return the channel's ids of the customer's messages in the inbox."""
    return [row["id"] for row in sql.rows(_INBOX_SQL, [customer_id])]


def files_of(customer_id: str) -> list[str]:
    """Return the stored files that the inbox names."""
    return [row["name"] for row in sql.rows(_FILES_SQL, [customer_id])]


def delete_inbox(customer_id: str) -> int:
    """Delete the customer's messages in the inbox, in batches; return how many."""
    return sql.execute_in_batches(_DELETE_INBOX_SQL, {"customer": customer_id, "most": BATCH})


def delete_customer(customer_id: str) -> int:
    """Delete the row itself, on which nothing hangs any more."""
    return sql.execute("DELETE FROM customers WHERE customer_id = %s", [customer_id])


def delete_unsent_pictures(phone_number_id: str, visitor_id: str) -> list[str]:
    """Delete the rows of a visitor's pictures that no message holds; return the names of the files."""
    prefix = files.prefix(phone_number_id=phone_number_id, visitor_id=visitor_id)
    found = list(UnsentPicture.objects.filter(pk__startswith=prefix).values_list("pk", flat=True))
    UnsentPicture.objects.filter(pk__in=found).delete()
    return found


def delete_events(
    *, phone_number_id: str, names: Collection[str], message_ids: Collection[str], before: datetime
) -> int:
    """
    Delete what channels told about a customer or their messages, in batches; return how many.

    `names` are the customer's ids: with them goes what happened until `before`.
    """
    deleted, after = 0, 0
    patterns = [f"%{_like(name)}%" for name in names]
    while True:
        row = sql.row(
            _DELETE_EVENTS_SQL,
            {
                "number": phone_number_id,
                "messages": list(message_ids),
                "patterns": patterns,
                "before": before,
                "after": after,
                "most": BATCH * 5,
            },
        )
        if row is None or row["last"] is None:
            return deleted
        deleted, after = deleted + row["deleted"], row["last"]


def clean_dead_letters(*, names: Sequence[str], before: datetime) -> dict[str, int]:
    """
    Take a customer out of the dead letters that came until `before`; count those changed and deleted.

    What other customers wrote in the same body stays and can be replayed.
    """
    counts = {"dead_letters_changed": 0, "dead_letters_deleted": 0}
    after = 0
    while rows := sql.rows(
        _LETTERS_SQL,
        {"names": [name.encode() for name in names], "after": after, "before": before, "most": _BODIES},
    ):
        for row in rows:
            what = _clean_letter(row["id"], names)
            if what:
                counts[f"dead_letters_{what}"] += 1
        after = rows[-1]["id"]
    return counts


@transaction.atomic
def _clean_letter(letter_id: int, names: Sequence[str]) -> str:
    """Clean one letter; return what became of it, nothing if it does not name them."""
    letter = DeadLetter.objects.select_for_update().filter(pk=letter_id).first()
    if letter is None:
        return ""
    raw = bytes(letter.raw)
    if not _names(raw, names, source=letter.source):
        return ""
    left = shared_bodies.without(raw, names, source=letter.source)
    if left is None or DeadLetter.objects.filter(digest=hashlib.sha256(left).hexdigest()).exists():
        letter.delete()
        return "deleted"
    dead_letters.replace_body(letter, left)
    return "changed"


def clean_spool(*, names: Sequence[str], before: datetime) -> int:
    """
    Take a customer out of the webhooks that wait in Redis since before then; return how many were changed.

    :raises RedisUnavailableError: if Redis does not answer
    """
    changed, position = 0, 0
    while entries := spool.entries(position, most=_ENTRIES):
        for entry in entries:
            if _names(entry, names, source=spool.ENTRY) and not _is_later(entry, before):
                left = shared_bodies.without(entry, names, source=spool.ENTRY)
                changed += spool.replace(entry, left)
        # Entries that were removed move those behind them up: these are looked at by the next erasure pass.
        position += len(entries)
    return changed


def _is_later(entry: bytes, before: datetime) -> bool:
    try:
        return spool.decode(entry).received_at > before
    except spool.UndecodableError:
        return False


def _names(raw: bytes, names: Sequence[str], *, source: str) -> bool:
    if source == spool.ENTRY:
        try:
            return shared_bodies.names(spool.decode(raw).raw, names)
        except spool.UndecodableError:
            return shared_bodies.names(raw, names)
    return shared_bodies.names(raw, names)


def _like(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


# inbound_waiting_by_customer
_IGNORE_WAITING_SQL = """
    UPDATE inbound_messages SET status = 'ignored', reason = %s
     WHERE customer_id = %s AND status = 'pending'
"""
# inbound_by_customer
_INBOX_SQL = "SELECT provider_message_id AS id FROM inbound_messages WHERE customer_id = %s"
_FILES_SQL = """
    SELECT DISTINCT media.value ->> 'name' AS name
      FROM inbound_messages, jsonb_array_elements(inbound_messages.media) AS media
     WHERE customer_id = %s AND COALESCE(media.value ->> 'name', '') <> ''
"""
_DELETE_INBOX_SQL = """
    DELETE FROM inbound_messages
     WHERE id = ANY(ARRAY(SELECT id FROM inbound_messages WHERE customer_id = %(customer)s
                           ORDER BY id LIMIT %(most)s))
"""
# In the order of the key, all numbers' rows: there is no index by customer, and none is worth its price.
_DELETE_EVENTS_SQL = """
    WITH walked AS MATERIALIZED (
        SELECT id, phone_number_id, provider_message_id, callback_data, occurred_at, person, data, payload
          FROM channel_events WHERE id > %(after)s ORDER BY id LIMIT %(most)s),
    deleted AS (
        DELETE FROM channel_events
         WHERE id = ANY(ARRAY(
               SELECT id FROM walked
                WHERE phone_number_id = %(number)s
                  AND ((provider_message_id <> '' AND provider_message_id = ANY(%(messages)s))
                       OR (callback_data <> '' AND callback_data = ANY(%(messages)s))
                       OR (occurred_at <= %(before)s
                           AND concat(person::text, data::text, payload::text)
                               LIKE ANY(%(patterns)s::text[])))
                ORDER BY id))
        RETURNING id)
    SELECT (SELECT max(id) FROM walked) AS last, (SELECT count(*) FROM deleted) AS deleted
"""
_LETTERS_SQL = """
    SELECT id FROM dead_letters
     WHERE id > %(after)s AND received_at <= %(before)s
       AND (source = 'spool' OR EXISTS (SELECT 1 FROM unnest(%(names)s::bytea[]) AS name
                                         WHERE position(name IN raw) > 0))
     ORDER BY id
     LIMIT %(most)s
"""
