"""A person of whom something stands in every table that can hold anything of a customer."""

import json
from dataclasses import dataclass
from datetime import timedelta

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User as Staff
from django.contrib.contenttypes.models import ContentType
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.utils import timezone

from billing import events, ledger
from billing.events import EventType
from billing.models import Email, IdempotencyKey
from channels_app import dead_letters, ingest, spool
from channels_app.meta.types import Problem
from channels_app.models import ChannelEvent, Customer, UnsentPicture
from channels_app.webchat import files
from config.lib import crypto, ids
from conversations import pending_deletions
from simulator import webhooks
from tests import factories

NAME, PHONE, BSUID = "Zoe Quicksilver", "12025559917", "US.998877665544332"
WORDS = "aubergine parade"
SENT_WAMID = "wamid.SENTTOZOE"
FILE = "zoes-picture.png"
NEEDLES = (NAME, PHONE, BSUID, WORDS, SENT_WAMID, "cnv-at-openai", "resp-of-zoe", FILE, "zoe@example.com")


@dataclass
class Filled:
    """The rows, and the webhooks that brought them."""

    customer: Customer
    agent: object
    raws: list[bytes]
    needles: tuple[str, ...]
    other: Customer


def webhook(number, *texts, person=None, timestamp=None) -> bytes:
    person = person or webhooks.Customer(wa_id=PHONE, name=NAME, user_id=BSUID)
    return webhooks.encode(
        webhooks.whatsapp_text(
            list(texts),
            customer=person,
            number=webhooks.Number(phone_number_id=number.pk),
            sent_at=timestamp,
        )
    )


def shared(*bodies: bytes) -> bytes:
    """Put several webhooks into one body, as Meta does."""
    first, *others = [json.loads(body) for body in bodies]
    for other in others:
        first["entry"] += other["entry"]
    return json.dumps(first).encode()


def fill(agent=None) -> Filled:
    """Make one row at least of the person in every table."""
    agent = agent or factories.AgentFactory()
    number, now = agent.phone_number, timezone.now()
    raw = webhook(number, WORDS)
    ingest.take(raw, now=now)
    customer = Customer.objects.get(wa_id=PHONE)
    Customer.objects.filter(pk=customer.pk).update(
        external_id="crm-zoe", username=NAME, due_at=None, pause_reason="x"
    )
    inbound = customer.inbox.get()
    default_storage.save(FILE, ContentFile(b"a picture"))
    inbound.media = [{"kind": "image", "name": FILE, "media_id": "1"}]
    inbound.status = "done"
    inbound.save()
    talk = factories.ConversationFactory(
        agent=agent, customer=customer, customer_phone=PHONE, openai_conversation_id="cnv-at-openai",
        handover_reason=WORDS,
    )  # fmt: skip
    turn = factories.TurnFactory(conversation=talk, state="done")
    turn.snapshot["customer_name"] = NAME
    turn.save()
    ledger.charge(user_id=agent.user_id, amount=1, reference=turn.pk)
    factories.MessageFactory(
        conversation=talk, author="customer", inbound=inbound, turn=turn, sequence_no=1, text=WORDS,
        provider_message_id=inbound.provider_message_id, status="delivered", timestamp=now,
        media=inbound.media,
    )  # fmt: skip
    reply = factories.MessageFactory(
        conversation=talk, turn=turn, sequence_no=2, text=f"{WORDS}, {NAME}", status="sent", timestamp=now,
        openai_response_id="resp-of-zoe",
    )  # fmt: skip
    factories.DeliveryFactory(
        message=reply, turn=turn, state="sent", provider_message_id=SENT_WAMID, text=WORDS
    )
    talk.last_sequence_no = 2
    talk.save()
    lead = factories.ExtractionFactory(
        conversation=talk, name=NAME, email="zoe@example.com", phone=f"+{PHONE}", intent=WORDS,
        evidence={"name": {"messages": [reply.pk], "quote": NAME}},
    )  # fmt: skip
    factories.WebhookEndpointFactory(user=agent.user)
    events.record(
        user_id=agent.user_id,
        type=EventType.LEAD_CREATED,
        data={"lead": {"name": NAME}, "customer": {"customer_id": customer.pk}},
        conversation_id=talk.pk,
    )
    Email.objects.create(
        user=agent.user, reference=f"lead:{lead.pk}", to="sales@example.com", subject=f"Lead: {NAME}",
        body=WORDS,
    )  # fmt: skip
    body = crypto.encrypt(
        json.dumps({"customer_id": customer.pk, "text": WORDS}), context=f"idempotency_keys:{agent.user_id}:k"
    )
    IdempotencyKey.objects.create(owner=agent.user_id, key="k", fingerprint="f", status=200, body=body)
    ChannelEvent.objects.create(
        phone_number=number, kind="status", event_key="1", provider_message_id=SENT_WAMID, occurred_at=now,
        payload={"recipient_id": PHONE, "id": SENT_WAMID}, person={"wa_id": PHONE}, applied_at=now,
    )  # fmt: skip
    other = factories.CustomerFactory(phone_number=number, name="Olaf", due_at=None)
    neighbours = webhooks.Customer(wa_id=other.wa_id, name="Olaf", user_id=None)
    both = shared(webhook(number, WORDS), webhook(number, "Olaf's words", person=neighbours))
    dead_letters.keep(both, source="meta", received_at=now, problems=[Problem("x", None)], correlation_id="")
    dead_letters.keep(
        b"not JSON " + PHONE.encode(), source="meta", received_at=now, problems=[Problem("x", None)],
        correlation_id="",
    )  # fmt: skip
    spool.append(spool.Waiting(both, now, correlation_id=""))
    spool.append(spool.Waiting(raw, now, correlation_id=""))
    UnsentPicture.objects.create(
        name=files.prefix(phone_number_id=number.pk, visitor_id="vis-zoe") + "-unsent.png"
    )
    Customer.objects.filter(pk=customer.pk).update(visitor_id="vis-zoe")
    pending_deletions.add(
        pending_deletions.Kind.OPENAI_CONVERSATION, ["cnv-at-openai"], due_at=now + timedelta(days=1)
    )
    LogEntry.objects.create(
        user_id=_staff(), content_type=ContentType.objects.get_for_model(Customer), object_id=customer.pk,
        object_repr=NAME, action_flag=CHANGE, change_message=WORDS,
    )  # fmt: skip
    needles = (*NEEDLES, inbound.provider_message_id, "vis-zoe", "crm-zoe")
    customer.refresh_from_db()
    return Filled(customer, agent, [raw], needles, other)


def _staff() -> int:
    return Staff.objects.create_user(ids.new("staff")).pk


def dump() -> dict[str, str]:
    """Return every table as COPY writes it, bodies as text."""
    found = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            with cursor.copy(f'COPY "{table}" TO STDOUT') as copied:
                text = b"".join(bytes(part) for part in copied).decode()
            if table == "dead_letters":
                cursor.execute("SELECT encode(raw, 'escape') FROM dead_letters")
                text += "\n".join(row[0] for row in cursor.fetchall())
            if table == "idempotency_keys":
                text += _decrypted_answers()
            if table == "unsent_pictures":
                text = text.replace(files.prefix(phone_number_id=_number(), visitor_id="vis-zoe"), "vis-zoe")
            found[table] = text
    return found


def _decrypted_answers() -> str:
    rows = IdempotencyKey.objects.all()
    return "".join(
        crypto.decrypt(row.body, context=f"idempotency_keys:{row.owner}:{row.key}") for row in rows
    )


def _number() -> str:
    return Customer.objects.values_list("phone_number_id", flat=True).order_by("created_at").first() or ""


def spooled() -> str:
    return "".join(spool.decode(entry).raw.decode() for entry in spool.entries(0, most=100))


def mentioning(needles) -> dict[str, list[str]]:
    """Return the tables that mention any of the needles, and which."""
    return {
        table: hits
        for table, text in dump().items()
        if (hits := [needle for needle in needles if needle in text])
    }
