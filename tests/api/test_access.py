"""Who may do what: every operation of the document with every kind of key."""

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing import keys
from tests.api import caller, document, graph
from tests.api.caller import Caller

pytestmark = pytest.mark.django_db

PROTECTED = [pytest.param(found, id=found.operation_id) for found in document.protected()]
GETS = [pytest.param(found, id=found.operation_id) for found in document.protected() if not found.writes]
BELOW_USERS = [pytest.param(found, id=found.operation_id) for found in document.below_users()]
YES = "yes"
# With the key of: an operator, the business itself, another business. Without a key it is always 401.
EVERYBODYS = (YES, YES, 404)
OPERATORS = (YES, 403, 404)
MATRIX = {
    "list_users": (YES, 403, 403),
    "create_user": (YES, 403, 403),
    "get_user": EVERYBODYS,
    "update_user": EVERYBODYS,
    "list_api_keys": EVERYBODYS,
    "create_api_key": EVERYBODYS,
    "revoke_api_key": EVERYBODYS,
    "rotate_api_key": EVERYBODYS,
    "get_credits": EVERYBODYS,
    "get_audit_log": EVERYBODYS,
    "get_operators_audit_log": (YES, 403, 403),
    "change_credits": OPERATORS,
    "list_agents": EVERYBODYS,
    "create_agent": EVERYBODYS,
    "get_agent": EVERYBODYS,
    "update_agent": EVERYBODYS,
    "delete_agent": EVERYBODYS,
    "list_archives": EVERYBODYS,
    "list_customers": EVERYBODYS,
    "get_customer": EVERYBODYS,
    "update_customer": EVERYBODYS,
    "erase_customer": EVERYBODYS,
    "get_erasure": EVERYBODYS,
    "export_customer": EVERYBODYS,
    "list_conversations": EVERYBODYS,
    "get_conversation": EVERYBODYS,
    "close_conversation": EVERYBODYS,
    "send_message": EVERYBODYS,
    "pause_conversation": EVERYBODYS,
    "resume_conversation": EVERYBODYS,
    "list_messages": EVERYBODYS,
    "list_waiting_messages": EVERYBODYS,
    "get_message": EVERYBODYS,
    "retry_message": EVERYBODYS,
    "list_phone_numbers": EVERYBODYS,
    "create_phone_number": EVERYBODYS,
    "get_phone_number": EVERYBODYS,
    "update_phone_number": EVERYBODYS,
    "delete_phone_number": EVERYBODYS,
    "rotate_webchat_secret": EVERYBODYS,
    "list_prompts": EVERYBODYS,
    "create_prompt": EVERYBODYS,
    "get_prompt": EVERYBODYS,
    "update_prompt": EVERYBODYS,
    "preview_prompt": EVERYBODYS,
    "rollback_prompt": EVERYBODYS,
    "list_prompt_versions": EVERYBODYS,
    "publish_prompt_version": EVERYBODYS,
    "list_extractions": EVERYBODYS,
    "export_extractions": EVERYBODYS,
    "get_extraction": EVERYBODYS,
    "update_extraction": EVERYBODYS,
    "extract_conversation": EVERYBODYS,
    "get_usage": EVERYBODYS,
    "list_webhook_endpoints": EVERYBODYS,
    "create_webhook_endpoint": EVERYBODYS,
    "get_webhook_endpoint": EVERYBODYS,
    "update_webhook_endpoint": EVERYBODYS,
    "delete_webhook_endpoint": EVERYBODYS,
    "rotate_webhook_secret": EVERYBODYS,
    "send_webhook_test": EVERYBODYS,
    "list_webhook_deliveries": EVERYBODYS,
    "get_webhook_delivery": EVERYBODYS,
    "redeliver_webhook": EVERYBODYS,
    "redeliver_webhooks": EVERYBODYS,
}


@pytest.fixture
def tenant(db, valkey):
    return graph.build()


@pytest.fixture
def other(db, valkey):
    return graph.build()


def wrong_keys(user_id: str) -> dict[str, str]:
    """Give keys that do not work, by what is wrong with them."""
    now = timezone.now()
    expired = keys.create(user_id=user_id, name="expired", expires_at=now - timedelta(seconds=1))[1]
    row, revoked = keys.create(user_id=user_id, name="revoked")
    keys.revoke(user_id=user_id, prefix=row.prefix)
    working = keys.create(user_id=user_id, name="working")[1]
    return {
        "none": "",
        "malformed": "nonsense",
        "unknown": keys.new(),
        "expired": expired,
        "revoked": revoked,
        "cut": working[:-1],
        "longer": working + "A",
        "another's secret": working[:14] + keys.new()[14:],
        "in capitals": working.upper(),
        "a megabyte": "A" * 100_000,
    }


def _status_alone(asking: Caller, operation: document.Operation, tenant: graph.Tenant) -> int:
    """Ask, and undo what came of it."""
    place = transaction.savepoint()
    status = graph.ask(asking, operation, tenant.ids).status_code
    transaction.savepoint_rollback(place)
    return status


class TestKeys:
    @pytest.mark.parametrize("operation", PROTECTED)
    def test_that_do_not_work_are_refused_alike(self, tenant, settings, operation):
        settings.API_FAILURE_LIMIT = 1000
        answers = {
            what: graph.ask(Caller(key), operation, tenant.ids, x_correlation_id="mine")
            for what, key in wrong_keys(tenant.user_id).items()
        }

        assert {what: answer.status_code for what, answer in answers.items()} == dict.fromkeys(answers, 401)
        assert {answer.content for answer in answers.values()} == {answers["none"].content}
        assert {answer["WWW-Authenticate"] for answer in answers.values()} == {'Bearer realm="api"'}
        assert answers["none"].json()["code"] == "unauthorized"

    @pytest.mark.parametrize("what", ["unknown", "expired", "revoked", "another's secret"])
    def test_that_do_not_work_take_as_many_looks(self, tenant, what):
        key = wrong_keys(tenant.user_id)[what]

        with CaptureQueriesContext(connection) as queries:
            Caller(key).get(f"/users/{tenant.user_id}")

        assert len(queries) == 1

    def test_are_refused_right_after_they_were_revoked(self, tenant):
        row, key = keys.create(user_id=tenant.user_id, name="first")
        second = Caller(keys.create(user_id=tenant.user_id, name="second")[1])
        first, place = Caller(key), f"/users/{tenant.user_id}"
        before = first.get(place)

        second.delete(f"{place}/api_keys/{row.prefix}")

        assert before.status_code == 200
        assert first.get(place).status_code == 401
        assert second.get(place).status_code == 200

    def test_of_the_past_end_on_time(self, tenant):
        _, key = keys.create(
            user_id=tenant.user_id, name="ends", expires_at=timezone.now() + timedelta(hours=1)
        )

        assert keys.find(key, now=timezone.now() + timedelta(minutes=59))
        assert keys.find(key, now=timezone.now() + timedelta(minutes=61)) is None

    def test_are_taken_from_headers_only(self, tenant):
        place = f"/users/{tenant.user_id}"

        assert Caller().get(f"{place}?x-api-key={tenant.key}&api_key={tenant.key}").status_code == 401
        assert Caller().get(place, Cookie=f"x-api-key={tenant.key}").status_code == 401


class TestScopes:
    def test_are_written_down_for_every_operation_and_no_other(self):
        assert set(MATRIX) == {operation.operation_id for operation in document.protected()}

    def test_are_told_in_the_document(self):
        told = {found.operation_id for found in document.protected() if found.is_for_operators}

        assert told == {name for name, (_, own, _) in MATRIX.items() if own == 403}

    @pytest.mark.parametrize("operation", PROTECTED)
    def test_are_what_is_written_down(self, tenant, other, operation):
        callers = (caller.operator(), tenant.caller, other.caller)

        found = tuple(_status_alone(one, operation, tenant) for one in callers)

        expected = MATRIX[operation.operation_id]
        allowed = tuple(YES if status not in {401, 403, 404} else status for status in found)
        assert allowed == expected

    @pytest.mark.parametrize("operation", BELOW_USERS)
    def test_leave_nothing_to_those_who_do_not_exist(self, tenant, operation):
        ids = tenant.ids | {"user_id": "usr_nobody"}

        assert graph.ask(caller.operator(), operation, ids).status_code == 404
        assert graph.ask(tenant.caller, operation, ids).status_code == 404


class TestAddresses:
    @pytest.mark.parametrize("variant", ["{}/", "/{}", "{}//", "{}.json", "/users/..{}", "{};x=1"])
    def test_that_are_nearly_right_do_not_exist(self, tenant, variant):
        answer = tenant.caller.get(variant.format(f"/users/{tenant.user_id}"))

        assert answer.status_code == 404

    def test_are_told_apart_by_case(self, tenant):
        assert tenant.caller.get(f"/USERS/{tenant.user_id}").status_code == 404
        assert tenant.caller.get(f"/users/{tenant.user_id.upper()}X").status_code == 404
        assert tenant.caller.get(f"/users/{tenant.user_id.lower()}").status_code == 404

    @pytest.mark.parametrize("operation", PROTECTED)
    def test_take_only_the_methods_that_are_told(self, tenant, operation):
        known = {one.method for one in document.operations() if one.path == operation.path}
        place = graph.url(operation, tenant.ids)
        operator = caller.operator()

        for method in {"get", "post", "put", "patch", "delete", "options", "trace"} - known:
            answer = getattr(operator._client, method)(place, headers={"x-api-key": operator.key})

            assert answer.status_code == 405, method
            assert answer.json()["code"] == "method_not_allowed"
            assert {name.strip().lower() for name in answer["Allow"].split(",")} - {"head"} == known

    @pytest.mark.parametrize("operation", GETS)
    def test_answer_head_as_get_without_a_body(self, tenant, operation):
        operator, place = caller.operator(), graph.url(operation, tenant.ids)

        answer = operator._client.head(place, headers={"x-api-key": operator.key})

        assert (answer.status_code, answer.getvalue()) == (200, b"")
        assert Caller()._client.head(place).status_code == 401
