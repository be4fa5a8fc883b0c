"""A business reaches nothing of another, by no id in no place."""

import dataclasses
from typing import Any
from urllib.parse import urlencode

import pytest
from django.utils.crypto import get_random_string

from tests.api import caller, document, graph
from tests.api.document import Operation
from tests.api.graph import PLACES, TOKEN, WEBHOOK_SECRET, Tenant

pytestmark = pytest.mark.django_db

BELOW_USERS = [pytest.param(found, id=found.operation_id) for found in document.below_users()]
WITH_BODY = [
    pytest.param(found, id=found.operation_id) for found in document.below_users() if found.body is not None
]
LISTS = [
    pytest.param(found, id=found.operation_id)
    for found in document.below_users()
    if found.method == "get" and "cursor" in found.parameters("query")
]
# Beside what `graph` knows by the same name: where a body or a query names a thing in another way.
ALIASES = {
    "old_agent_id": "agent_id",
    "new_agent_id": "agent_id",
    "message_ids": "message_id",
    "phone_number_ids": "phone_number_id",
}
NAMES = ("user_id", "tenant_id", "account_id")


@pytest.fixture
def mine(db, valkey) -> Tenant:
    return graph.build()


@pytest.fixture
def theirs(db, valkey) -> Tenant:
    return graph.build()


def named_ids(properties: dict[str, Any], ids: dict[str, str]) -> dict[str, str]:
    """Give those of a body's or a query's fields that name a thing, with the id of one."""
    named = {name: ids.get(ALIASES.get(name, name)) for name in properties}
    return {name: found for name, found in named.items() if found and name not in PLACES}


def foreign_paths(operation: Operation, mine: Tenant, theirs: Tenant) -> list[dict[str, str]]:
    """Give my own address with their ids: each alone, and all together."""
    names = [name for name in operation.names if name != "user_id" and name not in PLACES]
    each = [mine.ids | {name: theirs.ids[name]} for name in names]
    return [*each, mine.ids | {name: theirs.ids[name] for name in names}] if names else []


def unknown_fields(answer: Any) -> set[str]:
    return {error["field"] for error in answer.json()["errors"] if error["code"] == "unknown_field"}


def leaks(answer: Any, theirs: Tenant) -> set[str]:
    text = answer.content.decode() + str(dict(answer.headers))
    return {mark for mark in theirs.marks if mark in text}


class TestPaths:
    @pytest.mark.parametrize("operation", BELOW_USERS)
    def test_of_others_do_not_exist(self, mine, theirs, operation):
        before = graph.rows_without(mine)

        answer = graph.ask(mine.caller, operation, theirs.ids)

        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert graph.rows_without(mine) == before

    @pytest.mark.parametrize("operation", BELOW_USERS)
    def test_with_ids_of_others_do_not_exist(self, mine, theirs, operation):
        operator = caller.operator()
        before = graph.rows_without(mine, operator)

        for asking in (mine.caller, operator):
            for ids in foreign_paths(operation, mine, theirs):
                answer = graph.ask(asking, operation, ids)

                assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
                assert not leaks(answer, theirs)
        assert graph.rows_without(mine, operator) == before

    @pytest.mark.parametrize("operation", BELOW_USERS)
    def test_say_the_same_of_what_is_anothers_and_of_what_is_not_there(self, mine, theirs, operation):
        nowhere = {name: f"{get_random_string(20)}" for name in theirs.ids} | {"number": "1", "version": "1"}

        of_others = graph.ask(mine.caller, operation, theirs.ids, x_correlation_id="mine")
        of_nobody = graph.ask(mine.caller, operation, nowhere, x_correlation_id="mine")

        assert (of_others.status_code, of_others.content) == (of_nobody.status_code, of_nobody.content)


class TestBodies:
    def test_name_things_in_the_ways_that_are_tried(self, mine):
        named = {
            name
            for operation in document.below_users()
            if operation.body
            for name in named_ids(operation.body.get("properties", {}), mine.ids)
        }

        assert named >= {"phone_number_id", "prompt_id"}

    @pytest.mark.parametrize("operation", WITH_BODY)
    def test_that_name_things_of_others_are_refused(self, mine, theirs, operation):
        before = graph.rows_without(mine)

        for name, found in named_ids(operation.body.get("properties", {}), theirs.ids).items():
            sent = graph.body(operation, mine.ids)
            sent[name] = [found] if isinstance(sent.get(name), list) else found
            answer = graph.ask(mine.caller, operation, mine.ids, given=sent, Idempotency_Key=name)

            # 409: the id of a number that is registered cannot be registered again, whoever has it.
            assert answer.status_code in {404, 422, 409}, (name, answer.content)
            assert not leaks(answer, theirs) - {found}
        assert graph.rows_without(mine) == before

    @pytest.mark.parametrize("operation", WITH_BODY)
    def test_cannot_say_whose_they_are(self, mine, theirs, operation):
        asking = caller.operator() if operation.is_for_operators else mine.caller
        before = graph.rows_without(mine, asking)
        sent = graph.body(operation, mine.ids) | dict.fromkeys(NAMES, theirs.user_id)

        answer = graph.ask(asking, operation, mine.ids, given=sent)

        assert answer.status_code == 400
        assert unknown_fields(answer) == set(NAMES)
        assert graph.rows_without(mine, asking) == before


class TestQueries:
    @pytest.mark.parametrize("operation", BELOW_USERS)
    def test_cannot_say_whose_they_are(self, mine, theirs, operation):
        asking = caller.operator() if operation.is_for_operators else mine.caller
        asked = urlencode(dict.fromkeys(NAMES, theirs.user_id))
        place = dataclasses.replace(operation, path=f"{operation.path}?{asked}")

        answer = graph.ask(asking, place, mine.ids)

        assert answer.status_code == 400
        assert unknown_fields(answer) == set(NAMES)

    @pytest.mark.parametrize("operation", LISTS)
    def test_by_ids_of_others_find_nothing(self, mine, theirs, operation):
        place = graph.url(operation, mine.ids)

        for name, found in named_ids(operation.parameters("query"), theirs.ids).items():
            answer = mine.caller.get(f"{place}?{name}={found}")

            assert answer.status_code == 200, (name, answer.content)
            assert answer.json()["data"] == []

    @pytest.mark.parametrize("operation", LISTS)
    def test_by_own_ids_find_something(self, mine, theirs, operation):
        place = graph.url(operation, mine.ids)

        answer = mine.caller.get(place)

        assert answer.status_code == 200
        assert answer.json()["data"] != []
        assert not leaks(answer, theirs)

    @pytest.mark.parametrize("operation", LISTS)
    def test_page_by_page_show_nothing_of_others(self, mine, theirs, operation):
        place = graph.url(operation, mine.ids)
        cursor = theirs.caller.get(f"{graph.url(operation, theirs.ids)}?limit=1").json()["next_cursor"]

        for asked in ("?limit=200", f"?limit=200&cursor={cursor}" if cursor else "?limit=1"):
            answer = mine.caller.get(f"{place}{asked}")

            assert answer.status_code == 200
            assert not leaks(answer, theirs)


class TestHeaders:
    def test_cannot_say_whose_they_are(self, mine, theirs):
        for name in (*NAMES, "X-User-Id", "X-Tenant-Id", "X-Original-URL", "X-Rewrite-URL"):
            answer = mine.caller.get(f"/users/{mine.user_id}", **{name: f"/users/{theirs.user_id}"})

            assert answer.json()["user_id"] == mine.user_id


class TestSecrets:
    def test_stand_nowhere_in_the_database_as_they_are(self, mine):
        operator = caller.operator()
        made = operator.post("/users", {"email": "canary@example.com"}, Idempotency_Key="canary").json()
        business = caller.Caller(made["api_key"]["key"])
        place = f"/users/{made['user_id']}/api_keys"
        created = business.post(place, {"name": "canary"}, Idempotency_Key="first").json()
        rotated = business.post(
            f"{place}/{created['prefix']}/rotate", {"grace_seconds": 60}, Idempotency_Key="second"
        ).json()
        secrets = [found["key"] for found in (made["api_key"], created, rotated)] + [mine.key, operator.key]

        place = f"/users/{made['user_id']}/webhook_endpoints"
        endpoint = business.post(place, {"url": "https://a.example"}, Idempotency_Key="third").json()
        place = f"{place}/{endpoint['endpoint_id']}/rotate_secret"
        signing = [endpoint["secret"], business.post(place).json()["secret"]]

        kept = "\n".join(graph.rows())

        assert made["user_id"] in kept
        assert [key for key in secrets if key in kept or key.split("_", 2)[2] in kept] == []
        assert [secret for secret in signing if secret.removeprefix("whsec_") in kept] == []
        assert TOKEN not in kept

    @pytest.mark.parametrize("operation", LISTS)
    def test_are_not_shown(self, mine, operation):
        answer = mine.caller.get(graph.url(operation, mine.ids))

        assert TOKEN not in answer.content.decode()
        assert WEBHOOK_SECRET not in answer.content.decode()
        assert "hashed_key" not in answer.content.decode()
