"""
Messages that a customer took back: their words leave the inbox and the events that held them.

The row stays, so that the channel's second delivery of the message is still known as one.
"""

from dataclasses import replace

from django.core.files.storage import default_storage
from django.db import transaction

from channels_app.ignored import IgnoredReason
from channels_app.meta.types import Inbound
from config.lib import sql


def emptied(message: Inbound) -> Inbound:
    """Return a message without its content, for one that was taken back before it was stored."""
    return replace(message, text="", context="", media=(), payload={}, ignored=IgnoredReason.TAKEN_BACK)


def wipe(*, phone_number_id: str, provider_message_id: str) -> bool:
    """
    Wipe a message from the inbox, and its edits; return whether the inbox has it.

    It is not answered if that has not begun yet, nor retried or replayed.
    """
    parameters = {
        "number": phone_number_id,
        "message": provider_message_id,
        "reason": IgnoredReason.TAKEN_BACK,
    }
    is_known = bool(sql.execute(_WIPE, parameters))
    sql.execute(_WIPE_EDITS, parameters)
    return is_known


def delete_files(names: list[str]) -> None:
    """Delete stored files once the transaction has committed."""
    for name in names:
        transaction.on_commit(lambda name=name: default_storage.delete(name))  # type: ignore[misc]


_WIPE = """
    UPDATE inbound_messages
       SET text = '', context = '', media = '[]', payload = '{}',
           reason = CASE WHEN status IN ('pending', 'failed', 'rejected') THEN %(reason)s ELSE reason END,
           status = CASE WHEN status IN ('pending', 'failed', 'rejected') THEN 'ignored' ELSE status END
     WHERE phone_number_id = %(number)s AND provider_message_id = %(message)s
"""
# channel_events_about_messages
_WIPE_EDITS = """
    UPDATE channel_events SET data = '{}', payload = '{}'
     WHERE kind = 'edit' AND phone_number_id = %(number)s AND provider_message_id = %(message)s
       AND applied_at IS NOT NULL
"""
