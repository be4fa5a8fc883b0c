"""A business with one of everything that the API shows, and the ids of it."""

from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.utils import timezone

from agents.models import ConversationArchive
from billing import keys
from billing.models import Event, WebhookEndpoint
from privacy.models import Erasure
from tests.api.caller import Caller
from tests.api.document import Operation
from tests.factories import (
    AgentFactory,
    ConversationFactory,
    CreditFactory,
    CustomerFactory,
    DeliveryFactory,
    ExtractionFactory,
    InboundMessageFactory,
    MessageFactory,
    PhoneNumberFactory,
    PromptFactory,
    PromptVersionFactory,
    TurnFactory,
    WebhookEndpointFactory,
)

TOKEN = "canary-graph-token"
WEBHOOK_SECRET = "whsec_Y2FuYXJ5LWdyYXBoLXNlY3JldC1vZi1hLXdlYmhvb2s="
# Parameters of paths that name a thing only together with another, and so belong to nobody.
PLACES = {"number", "version"}


@dataclass(frozen=True)
class Tenant:
    """A business; `ids` holds what its URLs and bodies are made of, by the name they have there."""

    ids: dict[str, str]
    key: str

    @property
    def user_id(self) -> str:
        return self.ids["user_id"]

    @property
    def caller(self) -> Caller:
        return Caller(self.key)

    @property
    def marks(self) -> set[str]:
        """Give the ids by which its rows are known."""
        return {found for name, found in self.ids.items() if name not in PLACES} | {self.key.split("_")[1]}


def build(user: Any = None) -> Tenant:
    """Make one, or more of everything for one; what was said on it failed, so that it can be sent again."""
    user = CreditFactory(remaining_credits=100).user if user is None else user
    number = PhoneNumberFactory(user=user, token=TOKEN)
    prompt = PromptFactory(user=user, current_version=2)
    for version in (1, 2):
        PromptVersionFactory(prompt=prompt, number=version)
    agent = AgentFactory(phone_number=number, prompt_id=prompt.prompt_id)
    customer = CustomerFactory(phone_number=number, name="Canary Customer")
    conversation = ConversationFactory(customer=customer, agent=agent)
    turn = TurnFactory(conversation=conversation, state="failed")
    asked = InboundMessageFactory(customer=customer, status="failed", turn_id=turn.turn_id)
    MessageFactory(
        conversation=conversation, author="customer", inbound=asked, turn=turn, status="failed", sequence_no=1
    )
    InboundMessageFactory(customer=customer, text="Canary waits")
    reply = MessageFactory(conversation=conversation, turn=turn, status="failed", sequence_no=2)
    DeliveryFactory(message=reply, turn=turn, state="failed")
    lead = ExtractionFactory(conversation=conversation, name="Canary Lead", email="canary@example.com")
    archive = ConversationArchive.objects.create(phone_number_id=number.pk, old_agent_id=agent.pk)
    endpoint = _endpoint(user)
    event = Event.objects.create(
        user=user, type=Event.Type.MESSAGE_FAILED, data={"message_id": reply.message_id}
    )
    # Of a customer that is still there, so that every other operation finds it, too.
    Erasure.objects.create(
        user=user,
        customer_id=customer.customer_id,
        phone_number_id=str(number.phone_number_id),
        source=Erasure.Source.API,
        actor="Canary Key",
        state=Erasure.State.DONE,
        finished_at=timezone.now(),
    )
    spare, _ = keys.create(user_id=user.user_id, name="spare")
    ids = {
        "user_id": user.user_id,
        "prefix": spare.prefix,
        "phone_number_id": number.phone_number_id,
        "agent_id": agent.agent_id,
        "prompt_id": prompt.prompt_id,
        "number": "1",
        "version": "1",
        "customer_id": customer.customer_id,
        "conversation_id": conversation.conversation_id,
        "message_id": reply.message_id,
        "extraction_id": lead.extraction_id,
        "archive_id": archive.archive_id,
        "endpoint_id": endpoint.endpoint_id,
        "delivery_id": endpoint.deliveries.get(event=event).delivery_id,
    }
    return Tenant(ids, keys.create(user_id=user.user_id, name="in use")[1])


def _endpoint(user: Any) -> WebhookEndpoint:
    """Give an endpoint; a business cannot have many, so from the tenth on it is one that is there."""
    known = WebhookEndpoint.objects.filter(user=user).order_by("-endpoint_id")
    return known[0] if known.count() == 10 else WebhookEndpointFactory(user=user, signing=WEBHOOK_SECRET)


# --- what is asked of it -----------------------------------------------------------------------------


def url(operation: Operation, ids: dict[str, str]) -> str:
    """Fill in a path; a new kind of parameter is a new line in `build`."""
    return operation.path.format(**ids)


def body(operation: Operation, ids: dict[str, str]) -> Any:
    """Give the example of a body, with a business's own ids in it."""
    found = operation.example
    if isinstance(found, dict):
        found = {name: _own(name, value, ids) for name, value in found.items()}
    return found


def _own(name: str, value: Any, ids: dict[str, str]) -> Any:
    """Put a business's own id in place of an example's, also in a list of ids."""
    if isinstance(value, list) and name.removesuffix("s") in ids:
        return [ids[name.removesuffix("s")]]
    return ids.get(name, value) if isinstance(value, str) else value


def ask(
    caller: Caller, operation: Operation, ids: dict[str, str], *, given: Any = None, **headers: str
) -> Any:
    """Ask for an operation as its document tells; `given` stands in for the example of a body."""
    if "Idempotency-Key" in operation.parameters("header"):
        headers.setdefault("Idempotency_Key", f"ask-{operation.operation_id}")
    if operation.method in {"get", "delete"}:
        return getattr(caller, operation.method)(url(operation, ids), **headers)
    sent = body(operation, ids) if given is None else given
    return getattr(caller, operation.method)(url(operation, ids), sent, **headers)


# --- what became of it -------------------------------------------------------------------------------


def rows() -> set[str]:
    """Give every row of every table as text."""
    found = set()
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            found |= {f"{table}: {row[0]}" for row in cursor.fetchall()}
    return found


def rows_without(tenant: Tenant, *callers: Caller) -> set[str]:
    """Give the rows that speak neither of a business nor of a caller's key, whose use is noted."""
    marks = tenant.marks | {caller.key.split("_")[1] for caller in callers}
    return {row for row in rows() if not any(mark in row for mark in marks)}
