"""Nothing is written but what an operation says it takes."""

import json

import pytest
from django.apps import apps

from config.lib.api.serializers import MOST_NAMED
from tests.api import caller, document, graph

pytestmark = pytest.mark.django_db

WRITES = [
    pytest.param(found, id=found.operation_id) for found in document.protected() if found.body is not None
]
ROOMS = ("billing", "channels_app", "agents", "conversations", "extraction")
UNKNOWN = (
    "is_staff",
    "is_operator",
    "balance",
    "state",
    "__class__",
    "pk",
    "_id",
    "Name",
    "name ",
    "näme",
    "",
)


def columns() -> set[str]:
    """Give the names of every field of every model, as an ORM takes them and as the database has them."""
    fields = [
        field
        for room in ROOMS
        for model in apps.get_app_config(room).get_models()
        for field in model._meta.get_fields()
    ]
    return {field.name for field in fields} | {getattr(field, "attname", field.name) for field in fields}


@pytest.fixture
def tenant(db, valkey):
    return graph.build()


class TestBodies:
    @pytest.mark.parametrize("operation", WRITES)
    def test_with_fields_of_our_tables_change_nothing(self, tenant, operation):
        operator = caller.operator()
        unknown = sorted({*columns(), *UNKNOWN} - set(operation.body.get("properties", {})))
        operator.get("/users")
        before = graph.rows()

        # No answer names more.
        for start in range(0, len(unknown), MOST_NAMED):
            named = unknown[start : start + MOST_NAMED]
            sent = graph.body(operation, tenant.ids) | dict.fromkeys(named, "1")
            answer = graph.ask(operator, operation, tenant.ids, given=sent)

            found = [(error["field"], error["code"]) for error in answer.json()["errors"]]
            assert answer.status_code == 400
            assert found == [(name, "unknown_field") for name in named]
        assert graph.rows() == before

    @pytest.mark.parametrize("operation", WRITES)
    @pytest.mark.parametrize("sent", [[], "text", 1, None, True, [{}]], ids=str)
    def test_that_are_no_objects_change_nothing(self, tenant, operation, sent):
        operator = caller.operator()
        operator.get("/users")
        before = graph.rows()

        headers = {"Idempotency_Key": "one"} if operation.parameters("header") else {}
        answer = getattr(operator, operation.method)(
            graph.url(operation, tenant.ids), json.dumps(sent), **headers
        )

        assert answer.status_code == 400
        assert [error["field"] for error in answer.json()["errors"]] == [""]
        assert graph.rows() == before

    @pytest.mark.parametrize("operation", WRITES)
    def test_refuse_each_field_that_is_of_another_type(self, tenant, operation):
        operator = caller.operator()
        operator.get("/users")

        for name, told in operation.body.get("properties", {}).items():
            for wrong in _others(document.resolved(told)):
                sent = graph.body(operation, tenant.ids) | {name: wrong}
                answer = graph.ask(operator, operation, tenant.ids, given=sent, Idempotency_Key=f"{name}")

                assert answer.status_code == 400, (name, wrong, answer.content)
                assert answer.json()["errors"][0]["field"].split(".")[0] == name


def _others(told: dict) -> list[object]:
    """Give values of types that are not the field's."""
    types = told.get("type", [document.resolved(part).get("type") for part in told.get("allOf", [])])
    types = {types} if isinstance(types, str) else set(types)
    of_type = {
        "string": "text",
        "integer": 7,
        "boolean": True,
        "object": {"a": 1},
        "array": [1],
        "null": None,
    }
    if not types & set(of_type):
        return []
    return [value for name, value in of_type.items() if name not in types]
