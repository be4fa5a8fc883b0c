"""Staff of each group, and one row at least in every table."""

from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from agents.models import ConversationArchive, Prompt
from billing import events, keys
from billing.models import AuditEntry, Credit, Email
from channels_app.models import ChannelEvent, DeadLetter, WebChat
from config.lib import ids
from extraction.models import Extraction
from privacy.models import Erasure
from tests import factories

PASSWORD = "correct horse battery staple"
CANARY = "canary-7f3a-do-not-show"


def staff(name: str, *groups: str, **more) -> User:
    user = User.objects.create_user(name, password=PASSWORD, is_staff=True, **more)
    user.groups.set(Group.objects.filter(name__in=groups))
    return user


@dataclass
class People:
    support: Client
    operators: Client
    nobody: Client
    superuser: Client

    def __getitem__(self, name: str) -> Client:
        return getattr(self, name)


@pytest.fixture
def accounts(db, settings):
    # The hasher that production uses takes a quarter of a second for each of them.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    return SimpleNamespace(
        support=staff("sue", "support"),
        operators=staff("otto", "operators"),
        nobody=staff("nick"),
        superuser=User.objects.create_superuser("root", password=PASSWORD),
    )


@pytest.fixture
def people(accounts) -> People:
    clients = {}
    for name, user in vars(accounts).items():
        clients[name] = Client()
        clients[name].force_login(user)
    return People(**clients)


def furnish(*, name="Ann", text="Do you bake rye bread?"):
    """One row at least of every table, secrets and all."""
    now = timezone.now()
    number = factories.PhoneNumberFactory(token=CANARY, user__company_name=name, display_name=name)
    number.access_token += CANARY
    number.save()
    agent = factories.AgentFactory(phone_number=number, name=name, fallback_message=text)
    Prompt.objects.filter(pk=agent.prompt_id).update(name=name)
    customer = factories.CustomerFactory(phone_number=number, name=name, username=name)
    talk = factories.ConversationFactory(agent=agent, customer=customer, handover_reason=text)
    inbound = factories.InboundMessageFactory(
        customer=customer, text=text, payload={"token": CANARY}, status="failed", sent_at=now,
        media=[{"kind": "image", "url": CANARY}], reason="no answer could be made",
    )  # fmt: skip
    turn = factories.TurnFactory(conversation=talk, state="failed", error=text[:255])
    question = factories.MessageFactory(
        conversation=talk, author="customer", text=text, sequence_no=1, inbound=inbound, status="failed",
        failure_reason=text, failed_at=now, timestamp=now, media=[{"kind": "image", "url": CANARY}],
    )  # fmt: skip
    answer = factories.MessageFactory(
        conversation=talk, author="ai", text=text, sequence_no=2, turn=turn, status="read", timestamp=now
    )
    said = factories.MessageFactory(
        conversation=talk, author="staff", text=text, sequence_no=3, actor="admin:sue", timestamp=now
    )
    talk.last_sequence_no = 3
    talk.save()
    delivery = factories.DeliveryFactory(
        message=answer, phone_number=number, turn=turn, text=text, error=text, state="failed"
    )
    event = ChannelEvent.objects.create(
        phone_number=number, kind="status", event_key=CANARY, occurred_at=now, payload={"token": CANARY},
        data={"token": CANARY}, person={"token": CANARY},
    )  # fmt: skip
    letter = DeadLetter.objects.create(
        reason=text[:255], raw=CANARY.encode(), digest=str(now.timestamp()), phone_number_id=number.pk
    )
    key, plain = keys.create(user_id=number.user_id, name=name)
    key.hashed_key = CANARY
    key.save()
    endpoint = factories.WebhookEndpointFactory(user=number.user, description=name)
    endpoint.secret += CANARY
    endpoint.previous_secret = CANARY
    endpoint.save()
    events.record(user_id=number.user_id, type=events.EventType.MESSAGE_FAILED, data={"token": CANARY})
    sent = endpoint.deliveries.get()
    sent.log = [{"at": now.isoformat(), "status": None, "milliseconds": 10_000, "error": text}]
    sent.save()
    email = Email.objects.create(
        user=number.user, reference=ids.new("lead"), to="sales@example.com", subject=text[:255], body=text
    )
    email.refresh_from_db()
    archive = ConversationArchive.objects.create(old_agent=agent, phone_number=number)
    archive.refresh_from_db()
    lead = Extraction.objects.create(
        user_id=talk.user_id, conversation=talk, status=Extraction.Status.SUCCEEDED, is_current=True,
        name=name[:100], company=name, smart_notification=text,
    )  # fmt: skip
    chat = WebChat(phone_number=number, title=name[:60], welcome_text=text[:500])
    chat.set_secret(CANARY)
    chat.secret += CANARY
    chat.save()
    erasure = Erasure.objects.create(
        user=number.user, customer_id=ids.new("cus"), phone_number_id=number.pk, source="api", actor=name,
        subject=CANARY,
    )  # fmt: skip
    erasure.refresh_from_db()
    prompt = Prompt.objects.get(pk=agent.prompt_id)
    audited = AuditEntry.objects.filter(user_id=number.user_id).first()
    return SimpleNamespace(
        audited=audited, number=number, agent=agent, customer=customer, talk=talk, inbound=inbound, turn=turn,
        question=question, answer=answer, said=said, delivery=delivery, event=event, letter=letter,
        key=key, plain=plain, archive=archive, lead=lead, business=number.user,
        prompt=prompt, version=prompt.versions.get(),
        credit=Credit.objects.get(user=number.user), told=number.user.events.get(),
        endpoint=endpoint, sent=sent, email=email, chat=chat, erasure=erasure,
        entry=number.user.credit_entries.first(), soon=now + timedelta(hours=1),
    )  # fmt: skip


@pytest.fixture
def house(db):
    return furnish()
