"""Rows for tests, each valid by itself; ids are new each time, since some are cached for a process's life."""

import uuid
from datetime import UTC, datetime, timedelta

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from agents.models import Agent, Prompt, PromptVersion
from billing import ledger
from billing.models import Credit, User, WebhookEndpoint
from channels_app.models import Customer, InboundMessage, PhoneNumber
from config.lib import ids
from conversations.models import Conversation, Delivery, Message, Turn
from extraction.models import Extraction

# A provider's clock; when something is received is for the database to say.
SENT_AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class UserFactory(DjangoModelFactory):
    class Meta:
        model = User

    email = factory.LazyFunction(lambda: f"{uuid.uuid4().hex}@example.com")
    company_name = "Test"


class CreditFactory(DjangoModelFactory):
    """A balance that its ledger explains: `remaining_credits` are granted."""

    class Meta:
        model = Credit

    user = factory.SubFactory(UserFactory)
    remaining_credits = 10

    @classmethod
    def _create(cls, model_class, *args, remaining_credits, **kwargs):
        credit = super()._create(model_class, *args, remaining_credits=0, **kwargs)
        if remaining_credits:
            ledger.grant(user_id=credit.user_id, amount=remaining_credits, reference=ids.new("grant"))
            credit.refresh_from_db()
        return credit


class PhoneNumberFactory(DjangoModelFactory):
    class Meta:
        model = PhoneNumber

    phone_number_id = factory.LazyFunction(lambda: str(uuid.uuid4().int)[:15])
    user = factory.SubFactory(UserFactory)
    type = PhoneNumber.Type.WHATSAPP
    external_number = "+12025550100"

    class Params:
        token = "graph-token"

    @factory.lazy_attribute
    def access_token(self):
        number = PhoneNumber(phone_number_id=self.phone_number_id)
        number.set_access_token(self.token)
        return number.access_token


class PromptFactory(DjangoModelFactory):
    class Meta:
        model = Prompt

    user = factory.SubFactory(UserFactory)
    name = "Test"


class PromptVersionFactory(DjangoModelFactory):
    class Meta:
        model = PromptVersion

    prompt = factory.SubFactory(PromptFactory)
    number = 1
    instructions = "Be kind."


class AgentFactory(DjangoModelFactory):
    """An agent that can answer: it has a prompt with one version, and its user has `credits`."""

    class Meta:
        model = Agent
        skip_postgeneration_save = True

    phone_number = factory.SubFactory(PhoneNumberFactory)
    user = factory.SelfAttribute("phone_number.user")
    name = "Test"
    fallback_message = "Sorry, later."
    # Most tests compare whole replies.
    disclosure = ""

    @factory.lazy_attribute
    def prompt_id(self):
        return PromptVersionFactory(prompt__user=self.user).prompt_id

    @factory.post_generation
    def credits(self, create, extracted):
        if not Credit.objects.filter(user=self.user).exists():
            CreditFactory(user=self.user, remaining_credits=10 if extracted is None else extracted)


class CustomerFactory(DjangoModelFactory):
    """A customer who is due: what they wrote may be answered now."""

    class Meta:
        model = Customer

    phone_number = factory.SubFactory(PhoneNumberFactory)
    wa_id = factory.Sequence(lambda n: f"1202555{n:06}")
    due_at = factory.LazyFunction(lambda: timezone.now() - timedelta(seconds=1))


class InboundMessageFactory(DjangoModelFactory):
    class Meta:
        model = InboundMessage

    customer = factory.SubFactory(CustomerFactory)
    phone_number = factory.SelfAttribute("customer.phone_number")
    provider_message_id = factory.LazyFunction(lambda: f"wamid.{uuid.uuid4().hex}")
    kind = "text"
    text = factory.Sequence(lambda n: f"Message {n}")
    payload = factory.Dict({})
    sent_at = SENT_AT


class ConversationFactory(DjangoModelFactory):
    class Meta:
        model = Conversation

    customer = factory.SubFactory(CustomerFactory)
    agent = factory.SubFactory(AgentFactory, phone_number=factory.SelfAttribute("..customer.phone_number"))
    user = factory.SelfAttribute("agent.user")
    customer_phone = factory.SelfAttribute("customer.address")


class TurnFactory(DjangoModelFactory):
    """A turn somebody holds."""

    class Meta:
        model = Turn

    conversation = factory.SubFactory(ConversationFactory)
    customer = factory.SelfAttribute("conversation.customer")
    phone_number = factory.SelfAttribute("customer.phone_number")
    state = Turn.State.CLAIMED
    lease_token = factory.LazyFunction(uuid.uuid4)
    lease_expires_at = factory.LazyFunction(lambda: timezone.now() + timedelta(minutes=1))
    deadline_at = factory.LazyFunction(lambda: timezone.now() + timedelta(minutes=2))
    closed_at = factory.LazyAttribute(lambda turn: None if turn.state in Turn.OPEN else timezone.now())

    @factory.lazy_attribute
    def snapshot(self):
        agent = self.conversation.agent
        return {
            "user_id": agent.user_id,
            "agent_id": agent.agent_id,
            "prompt_id": agent.prompt_id,
            "prompt_version": 1,
            "fallback_message": agent.fallback_message,
            "handover_enabled": agent.handover_enabled,
            "handover_message": agent.handover_message,
            "disclosure": agent.disclosure,
            "customer_name": "",
            "business_name": "Test",
            "timezone": "UTC",
            "channel": self.phone_number.type,
            "price": 1,
            "correlation_id": "",
        }


class MessageFactory(DjangoModelFactory):
    """The AI's reply, unless told otherwise."""

    class Meta:
        model = Message

    conversation = factory.SubFactory(ConversationFactory)
    user = factory.SelfAttribute("conversation.user")
    phone_number = factory.SelfAttribute("conversation.customer.phone_number")
    sender = factory.LazyAttribute(lambda message: "user" if message.author == "customer" else "agent")
    author = Message.Author.AI
    text = factory.Sequence(lambda n: f"Said {n}")
    timestamp = SENT_AT
    sequence_no = factory.Sequence(lambda n: n + 1)
    failed_at = factory.LazyAttribute(lambda message: SENT_AT if message.status == "failed" else None)
    status = Message.Status.PENDING


class DeliveryFactory(DjangoModelFactory):
    """The POST of a reply, whose turn was charged."""

    class Meta:
        model = Delivery

    class Params:
        turn = factory.SubFactory(TurnFactory, state="answered")

    message = factory.SubFactory(
        MessageFactory,
        turn=factory.SelfAttribute("..turn"),
        conversation=factory.SelfAttribute("..turn.conversation"),
    )
    phone_number = factory.SelfAttribute("turn.phone_number")
    text = factory.SelfAttribute("message.text")


class ExtractionFactory(DjangoModelFactory):
    """A conversation's lead."""

    class Meta:
        model = Extraction

    conversation = factory.SubFactory(ConversationFactory)
    user = factory.SelfAttribute("conversation.user")
    status = Extraction.Status.SUCCEEDED
    is_current = factory.LazyAttribute(lambda reading: reading.status == "succeeded")
    # Of a quiet period there is one.
    upto_sequence_no = factory.Sequence(lambda n: n + 1)
    extracted_at = factory.LazyFunction(timezone.now)


class WebhookEndpointFactory(DjangoModelFactory):
    """An endpoint that is told everything, signed with `signing`."""

    class Meta:
        model = WebhookEndpoint

    class Params:
        signing = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

    endpoint_id = factory.LazyFunction(lambda: ids.new("whe"))
    user = factory.SubFactory(UserFactory)
    url = "https://bakery.example/hooks"

    @factory.lazy_attribute
    def secret(self):
        endpoint = WebhookEndpoint(endpoint_id=self.endpoint_id)
        endpoint.set_secret(self.signing)
        return endpoint.secret
