"""The rights of API keys: every operation with a key of each kind, held to billing/api/rights.py."""

import pytest
from django.db import transaction

from agents.models import Agent
from billing import keys
from billing.api import rights
from billing.api.rights import Rule
from config.lib import actors
from tests.api import caller, document, graph
from tests.api.caller import Caller
from tests.factories import PhoneNumberFactory

pytestmark = pytest.mark.django_db

PROTECTED = [pytest.param(found, id=found.operation_id) for found in document.protected()]
OF_BUSINESS = [found for found in document.below_users() if not found.is_for_operators]
BELOW_USERS = [pytest.param(found, id=found.operation_id) for found in OF_BUSINESS]
# Operations on a number that name it in the path; the others are lists and `create_agent`.
NAMING = [
    pytest.param(found, id=found.operation_id)
    for found in OF_BUSINESS
    if rights.RULES.get(found.operation_id) is Rule.NUMBER and len(found.names) > 1
]
LISTS = [
    pytest.param(found, id=found.operation_id)
    for found in OF_BUSINESS
    if rights.RULES.get(found.operation_id) is Rule.NUMBER
    and found.method == "get"
    and found.names == ["user_id"]
]


@pytest.fixture
def tenant(db, valkey):
    return graph.build()


@pytest.fixture
def elsewhere(tenant):
    """A number of the same business, with which the rows of `tenant` have nothing to do."""
    return PhoneNumberFactory(user_id=tenant.user_id)


def holder(tenant: graph.Tenant, **rights_of_key) -> Caller:
    return Caller(keys.create(user_id=tenant.user_id, name="test", **rights_of_key)[1])


def outcome(answer) -> str:
    """Return `denied`, or `allowed` for any answer that the operation itself gave."""
    if answer.status_code == 403 and answer.json()["code"] == "insufficient_scope":
        return "denied"
    assert answer.status_code not in {401, 403}
    return "allowed"


def try_out(asking: Caller, operation: document.Operation, tenant: graph.Tenant):
    """Call an operation and undo what it did."""
    place = transaction.savepoint()
    answer = graph.ask(asking, operation, tenant.ids)
    transaction.savepoint_rollback(place)
    return answer


class TestRules:
    def test_every_operation_has_a_rule_and_every_rule_an_operation(self):
        assert set(rights.RULES) == {found.operation_id for found in document.protected()}

    def test_operation_without_a_rule_is_left_to_keys_with_all_rights(self):
        may = {
            (scope, is_restricted): rights.include("new", "get", scope=scope, is_restricted=is_restricted)
            for scope in ("read", "write", "full")
            for is_restricted in (False, True)
        }

        assert [rights_of for rights_of, is_included in may.items() if is_included] == [("full", False)]

    def test_every_operation_of_a_number_is_tried_below(self):
        tried = {param.id for param in (*NAMING, *LISTS)} | {"create_agent"}

        assert tried == {name for name, rule in rights.RULES.items() if rule is Rule.NUMBER}

    def test_every_operation_documents_the_refusal(self):
        silent = [
            found.operation_id
            for found in document.protected()
            if "insufficient_scope" not in found.problems(403)
        ]

        assert silent == []


class TestScopes:
    @pytest.mark.parametrize("operation", BELOW_USERS)
    def test_read_key_may_get_and_change_nothing(self, tenant, operation):
        before = graph.rows_without(tenant)

        answer = graph.ask(holder(tenant, scope="read"), operation, tenant.ids)

        is_key = rights.RULES[operation.operation_id] is Rule.KEYS
        assert outcome(answer) == ("denied" if operation.writes or is_key else "allowed")
        assert graph.rows_without(tenant) == before

    @pytest.mark.parametrize("operation", BELOW_USERS)
    def test_write_key_may_do_everything_but_manage_keys(self, tenant, operation):
        answer = try_out(holder(tenant, scope="write"), operation, tenant)

        is_key = rights.RULES[operation.operation_id] is Rule.KEYS
        assert outcome(answer) == ("denied" if is_key else "allowed")

    @pytest.mark.parametrize("operation", PROTECTED)
    def test_operators_read_key_may_get_and_change_nothing(self, tenant, operation):
        operator = Caller(keys.create(user_id=None, name="auditor", scope="read")[1])

        answer = try_out(operator, operation, tenant)

        is_key = rights.RULES[operation.operation_id] is Rule.KEYS
        assert outcome(answer) == ("denied" if operation.writes or is_key else "allowed")

    def test_unknown_method_is_405_for_a_read_key_too(self, tenant):
        answer = holder(tenant, scope="read").put(f"/users/{tenant.user_id}/agents")

        assert answer.status_code == 405


class TestNumbers:
    @pytest.mark.parametrize("operation", BELOW_USERS)
    def test_restricted_key_is_denied_what_belongs_to_the_whole_business(self, tenant, operation):
        asking = holder(tenant, phone_number_ids=[tenant.ids["phone_number_id"]])

        answer = try_out(asking, operation, tenant)

        is_of_number = rights.RULES[operation.operation_id] is Rule.NUMBER
        assert outcome(answer) == ("allowed" if is_of_number else "denied")
        # 422 is the operation's own answer: this number is no web chat, and its token is made up.
        assert not is_of_number or answer.status_code != 404

    @pytest.mark.parametrize("operation", NAMING)
    def test_row_of_another_number_does_not_exist_for_a_restricted_key(self, tenant, elsewhere, operation):
        asking = holder(tenant, phone_number_ids=[elsewhere.pk])

        answer = try_out(asking, operation, tenant)

        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")

    @pytest.mark.parametrize("operation", LISTS)
    def test_list_shows_a_restricted_key_the_rows_of_its_numbers_only(self, tenant, elsewhere, operation):
        place = graph.url(operation, tenant.ids)
        is_named = {name for name in ("phone_number_id", "agent_id") if name in operation.parameters("query")}

        for query in ("", *(f"?{name}={tenant.ids[name]}" for name in is_named)):
            other = holder(tenant, phone_number_ids=[elsewhere.pk]).get(place + query)
            own = holder(tenant, phone_number_ids=[tenant.ids["phone_number_id"]]).get(place + query)

            marks = tenant.marks - {tenant.user_id}
            text = other.getvalue().decode()
            assert other.status_code == own.status_code == 200
            assert not [mark for mark in marks if mark in text], query
            shown = own.getvalue().decode()
            assert [mark for mark in marks if mark in shown], query

    def test_conversations_of_an_agent_that_moved_stay_with_their_number(self, tenant, elsewhere):
        agent_id = tenant.ids["agent_id"]
        Agent.objects.filter(pk=agent_id).update(phone_number=elsewhere)
        asking = holder(tenant, phone_number_ids=[elsewhere.pk])

        for kind in ("conversations", "extractions"):
            answer = asking.get(f"/users/{tenant.user_id}/{kind}?agent_id={agent_id}")

            assert (answer.status_code, answer.json()["data"]) == (200, [])

    @pytest.mark.parametrize("number", ["foreign", None])
    def test_agent_is_made_on_the_key_s_numbers_only(self, tenant, elsewhere, number):
        Agent.objects.all().update(phone_number=None)
        asking = holder(tenant, phone_number_ids=[elsewhere.pk])
        body = {"prompt_id": tenant.ids["prompt_id"], "name": "New"}

        refused = asking.post(
            f"/users/{tenant.user_id}/agents",
            body | {"phone_number_id": number and tenant.ids["phone_number_id"]},
        )
        made = asking.post(f"/users/{tenant.user_id}/agents", body | {"phone_number_id": elsewhere.pk})

        assert (refused.status_code, refused.json()["code"]) == (422, "phone_number_not_found")
        assert made.status_code == 201

    @pytest.mark.parametrize("target", ["foreign", None])
    def test_agent_is_not_moved_off_the_key_s_numbers(self, tenant, elsewhere, target):
        asking = holder(tenant, phone_number_ids=[tenant.ids["phone_number_id"]])

        answer = asking.patch(
            f"/users/{tenant.user_id}/agents/{tenant.ids['agent_id']}",
            {"phone_number_id": target and elsewhere.pk},
        )

        assert answer.status_code in {404, 422}
        agent = Agent.objects.get(pk=tenant.ids["agent_id"])
        assert agent.phone_number_id == tenant.ids["phone_number_id"]

    def test_restriction_ends_with_the_request(self, tenant, elsewhere):
        holder(tenant, phone_number_ids=[elsewhere.pk]).get(f"/users/{tenant.user_id}/agents")

        assert actors.current() == actors.SYSTEM
        assert Agent.objects.of(tenant.user_id).count() == 1

    def test_number_of_another_business_opens_nothing(self, tenant, valkey):
        theirs = graph.build()

        answer = tenant.caller.post(
            f"/users/{tenant.user_id}/api_keys",
            {"name": "x", "phone_number_ids": [theirs.ids["phone_number_id"]]},
        )

        assert (answer.status_code, answer.json()["code"]) == (422, "phone_number_not_found")


class TestIdempotencyKeys:
    def test_two_operators_with_the_same_key_do_not_meet(self, tenant):
        body = {"prompt_id": tenant.ids["prompt_id"], "name": "One"}
        place = f"/users/{tenant.user_id}/agents"

        first = caller.operator().post(place, body, Idempotency_Key="same")
        second = caller.operator().post(place, body, Idempotency_Key="same")

        assert (first.status_code, second.status_code) == (201, 201)
        assert first.json()["agent_id"] != second.json()["agent_id"]
        assert "Idempotency-Replayed" not in second

    def test_grant_of_another_operator_is_not_taken_for_one_s_own(self, tenant):
        body = {"kind": "grant", "amount": 5, "reason": "a"}
        place = f"/users/{tenant.user_id}/credits"

        first = caller.operator().post(place, body, Idempotency_Key="same")
        second = caller.operator().post(place, body, Idempotency_Key="same")

        assert first.status_code == 201
        assert (second.status_code, second.json()["code"]) == (422, "idempotency_key_reused")

    def test_request_is_repeated_with_a_rotated_key(self, tenant):
        row, key = keys.create(user_id=tenant.user_id, name="old")
        body = {"prompt_id": tenant.ids["prompt_id"], "name": "One"}
        place = f"/users/{tenant.user_id}/agents"
        first = Caller(key).post(place, body, Idempotency_Key="same")
        rotated = Caller(key).post(f"/users/{tenant.user_id}/api_keys/{row.pk}/rotate").json()

        again = Caller(rotated["key"]).post(place, body, Idempotency_Key="same")

        assert again["Idempotency-Replayed"] == "true"
        assert again.json() == first.json()

    def test_restricted_key_is_not_given_an_answer_about_another_number(self, tenant, elsewhere):
        place = f"/users/{tenant.user_id}/conversations/{tenant.ids['conversation_id']}/messages"
        tenant.caller.post(place, {"text": "Hello"}, Idempotency_Key="same")
        asking = holder(tenant, phone_number_ids=[elsewhere.pk])

        answer = asking.post(place, {"text": "Hello"}, Idempotency_Key="same")

        assert answer.status_code == 404
