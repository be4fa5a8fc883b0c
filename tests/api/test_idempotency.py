"""Every POST of the management API is sent twice with one Idempotency-Key, in turn and at once."""

import copy
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from billing import keys
from billing.idempotency import LIFETIME
from billing.models import ApiKey, IdempotencyKey, WebhookDelivery
from channels_app import numbers
from channels_app.models import InboundMessage, PhoneNumber
from conversations import takeover
from conversations.models import Conversation
from privacy.models import Erasure
from tests.api import caller, document, graph
from tests.api.caller import Caller
from tests.api.graph_server import GraphServer

_POSTS = [found for found in document.protected() if found.method == "post"]
POSTS = [pytest.param(found, id=found.operation_id) for found in _POSTS]
# An operator's Idempotency-Keys are remembered for each API key apart.
OF_BUSINESS = [pytest.param(found, id=found.operation_id) for found in _POSTS if not found.is_for_operators]
WITHOUT_EFFECT = {"preview_prompt"}
SECRET = re.compile(r"mcak_[0-9a-f]{8}_|whsec_|wcs_")


def body(operation: document.Operation, tenant: graph.Tenant) -> Any:
    """Return a body that the operation accepts, where possible also twice without a key."""
    now = timezone.now()
    own = {
        "create_phone_number": {"type": "webchat", "display_name": "Shop"},
        "create_agent": {"prompt_id": tenant.ids["prompt_id"], "name": "Ada"},
        "create_api_key": {"name": "crm"},
        "preview_prompt": {"version": 1},
        "redeliver_webhooks": {
            "since": (now - timedelta(hours=1)).isoformat(),
            "until": (now + timedelta(hours=1)).isoformat(),
        },
    }
    return own.get(operation.operation_id) or graph.body(operation, tenant.ids)


@pytest.fixture
def tenant(valkey):
    """A business in whose state every POST has an effect."""
    tenant = graph.build()
    Erasure.objects.all().delete()
    takeover.pause(customer_id=tenant.ids["customer_id"], reason="a test")
    InboundMessage.objects.update(sent_at=timezone.now())
    Conversation.objects.update(last_sequence_no=2)
    WebhookDelivery.objects.update(state="failed")
    web_chat = numbers.register(user_id=tenant.user_id, type="webchat", external_number="")
    tenant.ids["web_chat_id"] = web_chat.pk
    return tenant


def address(operation: document.Operation, tenant: graph.Tenant) -> str:
    if operation.operation_id == "rotate_webchat_secret":
        return graph.url(operation, tenant.ids | {"phone_number_id": tenant.ids["web_chat_id"]})
    return graph.url(operation, tenant.ids)


def asking(operation: document.Operation, tenant: graph.Tenant) -> Caller:
    found = caller.operator() if operation.is_for_operators else tenant.caller
    # The first request of a key is noted in its row.
    found.get(f"/users/{tenant.user_id}")
    return found


def effects() -> set[str]:
    return {row for row in graph.rows() if not row.startswith("idempotency_keys:")}


@pytest.mark.parametrize("operation", POSTS)
@pytest.mark.django_db
class TestEveryPost:
    def test_repeated_with_the_same_key_has_one_effect_and_the_same_answer(self, tenant, operation):
        place, sent, sender = (
            address(operation, tenant),
            body(operation, tenant),
            asking(operation, tenant),
        )
        before = effects()

        first = sender.post(place, sent, Idempotency_Key="one")
        between = effects()
        again = sender.post(place, sent, Idempotency_Key="one")

        assert first.status_code in {200, 201, 202}, first.content
        assert (before != between) == (operation.operation_id not in WITHOUT_EFFECT)
        assert effects() == between
        assert "Idempotency-Replayed" not in first
        assert (again.status_code, again["Idempotency-Replayed"]) == (first.status_code, "true")
        assert again.json() == first.json()
        for header in ("Location", "ETag"):
            assert again.get(header) == first.get(header)

    def test_with_the_same_key_and_another_body_is_refused(self, tenant, operation):
        place, sent, sender = (
            address(operation, tenant),
            body(operation, tenant),
            asking(operation, tenant),
        )
        sender.post(place, sent, Idempotency_Key="one")
        between = effects()

        answer = sender.post(place, {**copy.deepcopy(sent or {}), "another": 1}, Idempotency_Key="one")

        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
        assert effects() == between

    def test_refuses_a_key_that_no_header_should_hold(self, tenant, operation):
        place, sent, sender = (
            address(operation, tenant),
            body(operation, tenant),
            asking(operation, tenant),
        )
        before = effects()

        answer = sender.post(place, sent, Idempotency_Key="a b")

        assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_invalid")
        assert effects() == before

    def test_documents_the_header_and_its_errors(self, operation):
        assert "Idempotency-Key" in operation.parameters("header")
        assert "idempotency_key_invalid" in operation.problems(400)
        assert "idempotency_key_in_use" in operation.problems(409)
        assert "idempotency_key_reused" in operation.problems(422)


@pytest.mark.parametrize("operation", POSTS)
@pytest.mark.django_db(transaction=True)
def test_two_requests_at_once_with_the_same_key_have_one_effect(tenant, operation):
    place, sent, sender = address(operation, tenant), body(operation, tenant), asking(operation, tenant)

    def send(_number: int) -> Any:
        try:
            return sender.post(place, sent, Idempotency_Key="one")
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(send, range(2)))

    assert {answer.status_code for answer in answers} <= {200, 201, 202}
    assert sorted("Idempotency-Replayed" in answer for answer in answers) == [False, True]
    assert answers[0].json() == answers[1].json()
    assert IdempotencyKey.objects.count() == 1


@pytest.mark.parametrize("operation", OF_BUSINESS)
@pytest.mark.django_db
def test_response_with_a_secret_is_replayed_to_the_same_api_key_only(tenant, operation):
    place, sent = address(operation, tenant), body(operation, tenant)
    first = tenant.caller.post(place, sent, Idempotency_Key="one")
    other = Caller(keys.create(user_id=tenant.user_id, name="other")[1])
    between = ApiKey.objects.count()

    answer = other.post(place, sent, Idempotency_Key="one")

    if SECRET.search(first.content.decode()):
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    else:
        assert answer["Idempotency-Replayed"] == "true"
    assert ApiKey.objects.count() == between


@pytest.mark.django_db
class TestStoredResponses:
    def test_are_encrypted(self, tenant):
        place = f"/users/{tenant.user_id}/agents"
        tenant.caller.post(
            place, {"prompt_id": tenant.ids["prompt_id"], "name": "Canary"}, Idempotency_Key="one"
        )

        assert "Canary" not in str(IdempotencyKey.objects.values_list("body", flat=True).get())

    def test_stored_by_an_earlier_version_are_replayed(self, tenant):
        place, sent = f"/users/{tenant.user_id}/prompts", {"name": "A", "instructions": "Be brief."}
        first = tenant.caller.post(place, sent, Idempotency_Key="one")
        IdempotencyKey.objects.update(body=first.json())

        assert tenant.caller.post(place, sent, Idempotency_Key="one").json() == first.json()

    def test_expire_after_a_day_also_before_they_are_purged(self, tenant):
        place = f"/users/{tenant.user_id}/api_keys"
        first = tenant.caller.post(place, {"name": "crm"}, Idempotency_Key="one")
        IdempotencyKey.objects.update(created_at=timezone.now() - LIFETIME)

        second = tenant.caller.post(place, {"name": "crm"}, Idempotency_Key="one")
        third = tenant.caller.post(place, {"name": "crm"}, Idempotency_Key="one")

        assert first.json()["prefix"] != second.json()["prefix"]
        assert "Idempotency-Replayed" not in second
        assert third.json() == second.json()

    def test_failed_request_can_be_repeated_with_its_key(self, tenant):
        place, sent = "/users", {"email": "a@example.com"}
        operator = caller.operator()
        taken = operator.post(place, sent).json()["user_id"]
        refused = operator.post(place, sent, Idempotency_Key="one")
        operator.patch(f"/users/{taken}", {"email": "b@example.com"})

        answer = operator.post(place, sent, Idempotency_Key="one")

        assert (refused.status_code, answer.status_code) == (409, 201)


@pytest.mark.django_db(transaction=True)
class TestVerificationOfNumbers:
    SENT = {
        "phone_number_id": "555000111222333",
        "type": "whatsapp",
        "access_token": "token",
        "verify": True,
    }

    def test_holds_no_transaction_open_while_graph_is_called(self, tenant, settings):
        with GraphServer() as graph_server:
            settings.WHATSAPP_API_BASE_URL = graph_server.url
            answer = tenant.caller.post(
                f"/users/{tenant.user_id}/phone_numbers", self.SENT, Idempotency_Key="one"
            )

        assert answer.status_code == 201, answer.content
        assert graph_server.open_transactions == [0]

    def test_is_not_repeated_for_a_replay(self, tenant, settings):
        place = f"/users/{tenant.user_id}/phone_numbers"
        with GraphServer() as graph_server:
            settings.WHATSAPP_API_BASE_URL = graph_server.url
            first = tenant.caller.post(place, self.SENT, Idempotency_Key="one")

        again = tenant.caller.post(place, self.SENT, Idempotency_Key="one")

        assert (again.status_code, again.json()) == (201, first.json())
        assert again["Idempotency-Replayed"] == "true"

    def test_that_fails_leaves_nothing(self, tenant, settings):
        settings.WHATSAPP_API_BASE_URL = "http://127.0.0.1:1"

        answer = tenant.caller.post(
            f"/users/{tenant.user_id}/phone_numbers", self.SENT, Idempotency_Key="one"
        )

        assert (answer.status_code, answer.json()["code"]) == (422, "token_not_valid")
        assert not PhoneNumber.objects.filter(pk=self.SENT["phone_number_id"]).exists()
        assert not IdempotencyKey.objects.exists()
