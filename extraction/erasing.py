"""Erases the readings of a customer's conversations, and the leads in them."""

from collections.abc import Collection

from django.db import transaction

from billing import ledger
from config.lib import sql
from conversations.models import Conversation
from extraction.models import Extraction


def ids_of(conversation_ids: Collection[str]) -> list[str]:
    """Return the readings of conversations."""
    found = Extraction.objects.filter(conversation_id__in=list(conversation_ids))
    return list(found.order_by("pk").values_list("pk", flat=True))


@transaction.atomic
def delete(conversation_ids: Collection[str]) -> int:
    """
    Delete the readings of conversations, and give back what an open one cost; return how many.

    Whoever holds a reading finds it gone, as after a lost lease, and writes nothing.
    """
    wanted = sorted(conversation_ids)
    list(Conversation.objects.select_for_update(no_key=True).filter(pk__in=wanted).order_by("pk"))
    readings = Extraction.objects.filter(conversation_id__in=wanted)
    opened = list(
        readings.filter(status__in=Extraction.OPEN)
        .select_for_update()
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    deleted = sql.execute("DELETE FROM extractions WHERE conversation_id = ANY(%s)", [wanted])
    for extraction_id in opened:
        ledger.refund(reference=extraction_id, reason="customer erased")
    return deleted
