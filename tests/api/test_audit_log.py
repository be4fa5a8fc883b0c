"""The audit log: every operation that changes a configuration leaves an entry, in the same transaction."""

import json

import pytest
from django.core.management import call_command
from django.db import Error, connection, transaction

from billing import audit, keys
from billing.audit import Action
from billing.models import AuditEntry
from tests.api import caller, document, graph
from tests.api.graph import TOKEN, WEBHOOK_SECRET
from tests.factories import PhoneNumberFactory, UserFactory
from tests.webchat.browser_calls import web_chat

pytestmark = pytest.mark.django_db

TAGS = {"Users", "API keys", "Credits", "Prompts", "Agents", "Phone numbers", "Webhook endpoints"}
# Operations of these tags that change no configuration, and why.
NOT_RECORDED = {
    "preview_prompt": "fills in a prompt and changes nothing",
    "send_webhook_test": "sends an event, which is in the deliveries",
    "redeliver_webhook": "sends an event, which is in the deliveries",
    "redeliver_webhooks": "sends events, which are in the deliveries",
}
WRITES = [
    found
    for found in document.protected()
    if found.writes and found.told["tags"][0] in TAGS and found.operation_id not in NOT_RECORDED
]
# The example of these changes nothing here, or names rows that the graph does not have.
BODIES = {
    "create_user": {"email": "new@example.com"},
    "update_agent": {"name": "Another name"},
    "create_agent": {"name": "Second"},
    "create_phone_number": {"type": "webchat"},
    "update_phone_number": {"display_name": "Another name", "access_token": "another-token"},
    "rollback_prompt": {"version": 1},
}


@pytest.fixture
def tenant(db, valkey):
    return graph.build()


def body(operation: document.Operation, tenant: graph.Tenant):
    if operation.operation_id == "create_agent":
        return {"name": "Second", "prompt_id": tenant.ids["prompt_id"]}
    return BODIES.get(operation.operation_id)


class TestEveryWrite:
    def test_exceptions_are_operations(self):
        assert set(NOT_RECORDED) <= {found.operation_id for found in document.protected()}

    @pytest.mark.parametrize("operation", [pytest.param(found, id=found.operation_id) for found in WRITES])
    def test_leaves_an_entry_that_names_its_actor(self, tenant, operation):
        operator = caller.operator()
        ids = tenant.ids
        if operation.operation_id == "rotate_webchat_secret":
            chat = web_chat()
            ids = ids | {"user_id": chat.phone_number.user_id, "phone_number_id": chat.pk}
        before = AuditEntry.objects.count()

        answer = graph.ask(
            operator, operation, ids, given=body(operation, tenant), x_correlation_id="cor_mine"
        )

        assert answer.status_code < 300, answer.content
        entries = AuditEntry.objects.order_by("id")[before:]
        assert entries, "no entry: record it, or say in NOT_RECORDED why not"
        for entry in entries:
            assert (entry.actor_kind, entry.actor_id) == ("key", operator.key.split("_")[1])
            assert (entry.actor_name, entry.address) == ("operator", "127.0.0.1")
            assert entry.correlation_id == "cor_mine"
            assert entry.action in list(Action)
            assert entry.user_id

    @pytest.mark.parametrize("operation", [pytest.param(found, id=found.operation_id) for found in WRITES])
    def test_leaves_no_entry_when_it_is_refused(self, tenant, operation):
        before = AuditEntry.objects.count()

        answer = graph.ask(
            caller.operator(), operation, tenant.ids | {"user_id": "usr_nobody"}, given={"unknown": 1}
        )

        assert answer.status_code >= 400
        # the operator's own key, which the test itself made
        assert AuditEntry.objects.count() == before + 1


class TestEntries:
    def test_tell_what_a_value_was_and_is(self, tenant):
        tenant.caller.patch(f"/users/{tenant.user_id}/agents/{tenant.ids['agent_id']}", {"name": "New"})

        entry = AuditEntry.objects.get(action=Action.AGENT_UPDATED)
        assert entry.changes["name"]["after"] == "New"
        assert set(entry.changes) == {"name"}
        assert (entry.object_kind, entry.object_id) == ("agent", tenant.ids["agent_id"])

    def test_hold_neither_secrets_nor_addresses_of_people(self, tenant):
        place = f"/users/{tenant.user_id}"
        shown = [
            tenant.caller.post(f"{place}/api_keys", {"name": "a"}).json()["key"],
            tenant.caller.post(f"{place}/webhook_endpoints", {"url": "https://a.example/url-token"}).json()[
                "secret"
            ],
            tenant.caller.post(f"{place}/phone_numbers", {"type": "webchat"}).json()["webchat_secret"],
        ]
        number = f"{place}/phone_numbers/{tenant.ids['phone_number_id']}"
        tenant.caller.patch(number, {"access_token": "another-token"})
        tenant.caller.patch(place, {"email": "person@example.com", "notify_email": "sales@example.com"})

        kept = json.dumps(list(AuditEntry.objects.values()), default=str)

        secrets = [text.split("_", 2)[-1] for text in shown]
        for secret in (*secrets, TOKEN, WEBHOOK_SECRET, "another-token", "url-token", "@example.com"):
            assert secret not in kept
        assert AuditEntry.objects.get(action=Action.USER_UPDATED).changes == {"email": {}, "notify_email": {}}

    def test_are_gone_with_a_change_that_fails(self, tenant):
        before = AuditEntry.objects.count()
        place = f"/users/{tenant.user_id}/agents/{tenant.ids['agent_id']}"

        answer = tenant.caller.patch(place, {"name": "New", "phone_number_id": "1"})

        assert answer.status_code == 422
        assert AuditEntry.objects.count() == before

    def test_are_not_left_where_nothing_changed(self, tenant):
        place = f"/users/{tenant.user_id}/agents/{tenant.ids['agent_id']}"
        tenant.caller.patch(place, {"name": "New"})
        before = AuditEntry.objects.count()

        tenant.caller.patch(place, {"name": "New"})

        assert AuditEntry.objects.count() == before

    @pytest.mark.parametrize("statement", ["UPDATE audit_log SET action = 'x'", "DELETE FROM audit_log"])
    def test_are_neither_changed_nor_deleted(self, tenant, statement):
        with pytest.raises(Error, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)

    def test_of_a_command_name_it(self, db, capsys):
        user = UserFactory()

        call_command("create_api_key", "--user", user.pk, "--name", "cron")

        entry = AuditEntry.objects.get()
        assert (entry.actor_kind, entry.actor_id, entry.action) == (
            "command",
            "create_api_key",
            "api_key.created",
        )

    def test_without_an_actor_are_the_system_s(self, db):
        audit.record(Action.AGENT_DELETED, "agt_1", user_id=None)

        assert AuditEntry.objects.get().actor_kind == "system"

    def test_cut_long_texts(self):
        found = audit.difference({"text": "a" * 1000}, {"text": "b" * 1000})

        assert found == {"text": {"before": "a" * 500 + "…", "after": "b" * 500 + "…"}}


class TestReading:
    def test_business_sees_its_own_entries_newest_first_and_filtered(self, tenant):
        other = graph.build()
        PhoneNumberFactory(user_id=tenant.user_id)
        for name in ("One", "Two"):
            place = f"/users/{tenant.user_id}/agents/{tenant.ids['agent_id']}"
            tenant.caller.patch(place, {"name": name})
        other.caller.patch(f"/users/{other.user_id}/agents/{other.ids['agent_id']}", {"name": "Three"})
        log = f"/users/{tenant.user_id}/audit_log"

        found = tenant.caller.get(f"{log}?action=agent.updated&object_id={tenant.ids['agent_id']}").json()
        since = tenant.caller.get(f"{log}?since=2100-01-01T00:00:00Z").json()
        all_of_it = tenant.caller.get(log).json()["data"]

        assert [entry["changes"]["name"]["after"] for entry in found["data"]] == ["Two", "One"]
        assert since["data"] == []
        assert {entry["user_id"] for entry in all_of_it} == {tenant.user_id}

    def test_pages_follow_the_cursor(self, tenant):
        place = f"/users/{tenant.user_id}/agents/{tenant.ids['agent_id']}"
        for n in range(5):
            tenant.caller.patch(place, {"name": f"Name {n}"})
        seen, url = [], f"/users/{tenant.user_id}/audit_log?limit=2"
        while url:
            page = tenant.caller.get(url).json()
            seen += [entry["entry_id"] for entry in page["data"]]
            cursor = page["next_cursor"]
            url = cursor and f"/users/{tenant.user_id}/audit_log?limit=2&cursor={cursor}"

        own = AuditEntry.objects.of(tenant.user_id).order_by("-id").values_list("id", flat=True)
        assert seen == list(own)

    def test_operator_sees_everybody_s_and_operators_own(self, tenant):
        operator = caller.operator()
        keys.create(user_id=tenant.user_id, name="x")

        found = operator.get("/audit_log?action=api_key.created").json()["data"]

        assert {None, tenant.user_id} <= {entry["user_id"] for entry in found}

    def test_addresses_of_operators_are_not_shown_to_a_business(self, tenant):
        operator = caller.operator()
        place = f"/users/{tenant.user_id}"
        operator.patch(place, {"company_name": "By the operator"})
        tenant.caller.patch(place, {"company_name": "By itself"})
        log = f"{place}/audit_log?action=user.updated"

        seen = [
            [entry["address"] for entry in asking.get(log).json()["data"]]
            for asking in (tenant.caller, operator)
        ]

        assert seen == [["127.0.0.1", ""], ["127.0.0.1", "127.0.0.1"]]
