"""Customers: the resource, the object that shows them everywhere, and the filters by them."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from agents.models import Agent
from billing import keys
from billing.models import Event
from channels_app.models import Customer, PhoneNumber
from channels_app.webchat import sessions
from conversations import takeover
from extraction import announcing, schedule
from tests.api import document
from tests.api.caller import Caller
from tests.factories import (
    AgentFactory,
    ConversationFactory,
    CustomerFactory,
    ExtractionFactory,
    InboundMessageFactory,
    MessageFactory,
    PhoneNumberFactory,
    WebhookEndpointFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def number(user) -> PhoneNumber:
    return AgentFactory(phone_number=PhoneNumberFactory(user=user)).phone_number


@pytest.fixture
def customer(number) -> Customer:
    return CustomerFactory(phone_number=number, name="Ada", username="ada", external_id="cust-77")


def talk(customer: Customer) -> Any:
    """Create a conversation with a message and a lead."""
    agent = Agent.objects.get(phone_number=customer.phone_number)
    conversation = ConversationFactory(customer=customer, agent=agent)
    MessageFactory(conversation=conversation)
    ExtractionFactory(conversation=conversation)
    return conversation


def shown(customer: Customer) -> dict[str, Any]:
    return {
        "customer_id": customer.pk,
        "external_id": customer.external_id,
        "name": customer.name,
        "username": customer.username,
        "channel": customer.phone_number.type,
        "address": customer.address,
    }


def place(user: Any, kind: str = "customers", query: str = "") -> str:
    return f"/users/{user.user_id}/{kind}?{query}"


def url(user: Any, customer: Customer) -> str:
    return f"/users/{user.user_id}/customers/{customer.pk}"


def lines(answer: Any) -> list[list[str]]:
    return list(csv.reader(io.StringIO(answer.getvalue().decode())))


def listed(asking: Caller, user: Any, query: str = "") -> list[str]:
    answer = asking.get(place(user, query=query))
    assert answer.status_code == 200, answer.content
    return [row["customer_id"] for row in answer.json()["data"]]


class TestResource:
    def test_shows_a_customer_and_their_number(self, business, user, customer):
        answer = business.get(url(user, customer)).json()

        number = {"phone_number_id": customer.phone_number_id, "created_at": answer["created_at"]}
        assert answer == shown(customer) | number

    def test_list_goes_by_number_and_shows_the_newest_first(self, business, user, number):
        other = PhoneNumberFactory(user=user)
        made = [CustomerFactory(phone_number=at) for at in (number, other, number, other)]
        expected = sorted(made, key=lambda one: (one.phone_number_id, one.pk), reverse=True)

        pages, cursor = [], ""
        while cursor is not None:
            answer = business.get(
                place(user, query=f"limit=3&cursor={cursor}" if cursor else "limit=3")
            ).json()
            pages += [row["customer_id"] for row in answer["data"]]
            cursor = answer["next_cursor"]

        assert pages == [one.pk for one in expected]

    def test_list_is_filtered_by_number_and_external_id(self, business, user, number, customer):
        elsewhere = CustomerFactory(phone_number=PhoneNumberFactory(user=user), external_id="cust-77")
        CustomerFactory(phone_number=number)

        assert set(listed(business, user, "external_id=cust-77")) == {customer.pk, elsewhere.pk}
        assert listed(business, user, f"external_id=cust-77&phone_number_id={number.pk}") == [customer.pk]
        assert listed(business, user, "external_id=CUST-77") == []

    def test_who_wrote_only_before_the_registration_is_not_shown(self, business, user, number):
        PhoneNumber.objects.update(created_at=timezone.now() + timedelta(hours=1))
        before, after, talked = (CustomerFactory(phone_number=number) for _ in range(3))
        InboundMessageFactory(customer=before)
        late = InboundMessageFactory(customer=after)
        type(late).objects.filter(pk=late.pk).update(received_at=timezone.now() + timedelta(hours=2))
        talk(talked)

        assert set(listed(business, user)) == {after.pk, talked.pk}
        assert business.get(url(user, before)).status_code == 404

    def test_of_another_business_does_not_exist(self, business, user):
        theirs = CustomerFactory(external_id="cust-77")
        at_mine = f"/users/{user.user_id}/customers/{theirs.pk}"

        answers = [
            business.get(at_mine),
            business.patch(at_mine, {"external_id": "mine"}),
            business.get(url(theirs.phone_number.user, theirs)),
        ]

        assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(404, "not_found")] * 3
        assert listed(business, user, "external_id=cust-77") == []
        theirs.refresh_from_db()
        assert theirs.external_id == "cust-77"

    def test_restricted_key_sees_the_customers_of_its_numbers_only(self, user, number, customer, valkey):
        elsewhere = CustomerFactory(phone_number=PhoneNumberFactory(user=user), external_id="cust-77")
        asking = Caller(keys.create(user_id=user.user_id, name="one", phone_number_ids=[number.pk])[1])

        assert listed(asking, user, "external_id=cust-77") == [customer.pk]
        assert asking.get(url(user, elsewhere)).status_code == 404
        assert asking.patch(url(user, elsewhere), {"external_id": "x"}).status_code == 404
        assert asking.patch(url(user, customer), {"external_id": "x"}).status_code == 200

    def test_read_only_key_changes_nothing(self, user, customer, valkey):
        asking = Caller(keys.create(user_id=user.user_id, name="read", scope="read")[1])

        answer = asking.patch(url(user, customer), {"external_id": "x"})

        assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")


class TestExternalId:
    def test_is_set_shown_and_removed(self, business, user, customer):
        answers = [
            business.patch(url(user, customer), {"external_id": given}).json()["external_id"]
            for given in ("crm/4711 ä", None, "cust-77")
        ]

        assert answers == ["crm/4711 ä", None, "cust-77"]
        assert business.patch(url(user, customer), {}).json()["external_id"] == "cust-77"

    def test_may_be_the_same_of_several_customers(self, business, user, number, customer):
        other = CustomerFactory(phone_number=number)

        assert business.patch(url(user, other), {"external_id": "cust-77"}).status_code == 200
        assert set(listed(business, user, "external_id=cust-77")) == {customer.pk, other.pk}

    def test_is_not_changed_by_who_has_not_seen_the_newest(self, business, user, customer):
        tag = business.get(url(user, customer))["ETag"]
        first = business.patch(url(user, customer), {"external_id": "a"}, If_Match=tag)
        second = business.patch(url(user, customer), {"external_id": "b"}, If_Match=tag)

        assert (first.status_code, second.status_code) == (200, 412)
        assert business.get(url(user, customer)).json()["external_id"] == "a"

    @pytest.mark.parametrize("wrong", ["", "a\nb", "trailing\n", "\x7f", "x" * 201, 4711, [], {}, True])
    def test_that_no_identity_token_could_have_is_refused(self, business, user, customer, wrong):
        answer = business.patch(url(user, customer), {"external_id": wrong})

        assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
        assert [error["field"] for error in answer.json()["errors"]] == ["external_id"]
        customer.refresh_from_db()
        assert customer.external_id == "cust-77"

    def test_of_a_signed_in_user_is_the_signed_one(self, business, user):
        chat = PhoneNumberFactory(user=user, type="webchat", phone_number_id="web_1")
        visitor = CustomerFactory(
            phone_number=chat, wa_id=None, visitor_id=sessions.known_visitor_id("cust-77")
        )

        for given, status in (("other", 409), (None, 409), ("cust-77", 200)):
            answer = business.patch(url(user, visitor), {"external_id": given})
            assert answer.status_code == status, given
        assert business.get(url(user, visitor)).json()["external_id"] == "cust-77"
        assert business.patch(url(user, visitor), {"external_id": "x"}).json()["code"] == "external_id_signed"


def _events_of(type_: str) -> list[dict[str, Any]]:
    return [event.data for event in Event.objects.filter(type=type_)]


class TestEverywhere:
    """Each place that shows a customer shows the same object."""

    @pytest.mark.parametrize("kind", ["conversations", "messages", "extractions"])
    def test_lists_and_single_answers_show_the_customer_object(self, business, user, customer, kind):
        talk(customer)

        [row] = business.get(place(user, kind)).json()["data"]
        key = next(name for name in row if name.endswith("_id"))
        single = business.get(f"/users/{user.user_id}/{kind}/{row[key]}").json()

        assert row["customer"] == single["customer"] == shown(customer)

    def test_each_schema_with_a_customer_has_the_same_object(self):
        schemas = document.document()["components"]["schemas"]
        found = {
            name: schema["properties"]["customer"]
            for name, schema in schemas.items()
            # An export adds the ids by which the channel knows the customer.
            if "customer" in schema.get("properties", {}) and name != "Export"
        }

        assert {"Conversation", "Message", "MessageDetail", "RetriedMessage", "Extraction"} <= set(found)
        for name, schema in found.items():
            assert set(document.resolved(_reference(schema))["properties"]) == set(
                shown(CustomerFactory.build())
            ), name

    def test_each_schema_with_a_customer_s_address_has_the_customer_as_well(self):
        schemas = document.document()["components"]["schemas"]
        with_address = {
            name for name, schema in schemas.items() if "customer_phone" in schema.get("properties", {})
        }

        assert [name for name in with_address if "customer" not in schemas[name]["properties"]] == []

    def test_events_about_conversations_and_leads_show_the_customer_object(self, user, customer):
        WebhookEndpointFactory(user=user)
        conversation = talk(customer)
        type(conversation).objects.update(
            extract_at=timezone.now(),
            last_message_at=timezone.now() - timedelta(days=1),
            # Newer than what the lead was read from.
            last_sequence_no=1_000_000,
        )

        takeover.hand_over(
            customer_id=customer.pk,
            conversation_id=conversation.pk,
            user_id=user.user_id,
            reason="wants a person",
        )
        lead = conversation.extractions.get()
        for is_new in (True, False):
            announcing.announce(lead, changed=[], source="api", is_new=is_new)
        schedule.look()

        for type_ in ("conversation.handover", "conversation.idle", "lead.created", "lead.updated"):
            [data] = _events_of(type_)
            assert data["customer"] == shown(customer), type_

    def test_every_event_about_a_conversation_shows_a_customer_object_or_a_message(self):
        """Those about messages are walked in tests/conversations/test_message_events.py."""
        others = {
            *("credits.low", "credits.exhausted", "channel.error", "prompt.ended", "model.ending"),
            *("number.unanswered", "number.silent", "endpoint.test"),
        }
        walked = {"conversation.handover", "conversation.idle", "lead.created", "lead.updated"}
        messages = {type_ for type_ in Event.Type.values if type_.startswith("message.")}

        assert others | walked | messages == set(Event.Type.values)

    def test_csv_file_has_the_customer_in_its_last_columns(self, business, user, customer):
        talk(customer)

        head, row = lines(business.get(f"/users/{user.user_id}/extractions/export"))

        columns = ["customer_id", "external_id", "customer_name", "customer_username", "customer_address"]
        assert head[-5:] == columns
        assert row[-5:] == [customer.pk, "cust-77", "Ada", "ada", customer.address]


class TestFilters:
    @pytest.mark.parametrize("kind", ["conversations", "messages", "extractions"])
    def test_lists_are_filtered_by_customer_and_by_external_id(self, business, user, number, customer, kind):
        mine, other = talk(customer), talk(CustomerFactory(phone_number=number, external_id="cust-78"))

        for query, conversation in {
            f"customer_id={customer.pk}": mine,
            "external_id=cust-77": mine,
            "external_id=cust-78": other,
            f"customer_id={customer.pk}&external_id=cust-77": mine,
            f"phone_number_id={number.pk}&external_id=cust-77": mine,
            f"conversation_id={mine.pk}&external_id=cust-77": mine,
            f"agent_id={mine.agent_id}&external_id=cust-77": mine,
        }.items():
            if kind == "conversations" and "conversation_id" in query:
                continue
            if kind == "messages" and "agent_id" in query:
                continue
            rows = business.get(place(user, kind, query)).json()["data"]
            assert [row["conversation_id"] for row in rows] == [conversation.pk], query
        for query in (
            "external_id=nobody",
            "customer_id=cus_nobody",
            f"customer_id={customer.pk}&external_id=cust-78",
        ):
            assert business.get(place(user, kind, query)).json()["data"] == [], query

    @pytest.mark.parametrize("kind", ["conversations", "messages", "extractions"])
    def test_customer_of_another_business_finds_nothing(self, business, user, customer, kind):
        talk(customer)
        theirs = talk(
            CustomerFactory(phone_number=AgentFactory().phone_number, external_id="theirs")
        ).customer

        for query in (f"customer_id={theirs.pk}", "external_id=theirs"):
            assert business.get(place(user, kind, query)).json()["data"] == []

    @pytest.mark.parametrize("kind", ["customers", "conversations", "messages", "extractions"])
    @pytest.mark.parametrize("wrong", ["external_id=", f"external_id={'x' * 201}", "external_id=a%00b"])
    def test_wrong_external_id_is_refused(self, business, user, kind, wrong):
        answer = business.get(place(user, kind, wrong))

        assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
        assert [error["field"] for error in answer.json()["errors"]] == ["external_id"]

    @pytest.mark.parametrize("kind", ["conversations", "messages", "extractions"])
    @pytest.mark.parametrize("wrong", ["customer_id=", f"customer_id={'x' * 51}"])
    def test_wrong_customer_id_is_refused(self, business, user, kind, wrong):
        answer = business.get(place(user, kind, wrong))

        assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")

    def test_export_is_filtered_by_external_id(self, business, user, number, customer):
        talk(customer)
        talk(CustomerFactory(phone_number=number))

        answer = business.get(f"/users/{user.user_id}/extractions/export?external_id=cust-77")

        assert [row[-4] for row in lines(answer)[1:]] == ["cust-77"]


def _reference(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema without what is said of it in this place."""
    return schema["allOf"][0] if "allOf" in schema else schema
