"""Errors name the fault and propose what would be right."""

import pytest
from rest_framework import serializers

from config.lib.api.serializers import ChoiceField, FlagField, QueryFlagField
from tests.api import caller, document, graph
from tests.api.sentences import is_sentence

pytestmark = pytest.mark.django_db

MISSING = "nowhere_at_all"


@pytest.fixture
def tenant(db, valkey):
    return graph.build()


def errors(answer) -> dict[str, str]:
    """Return the details of the wrong fields by field."""
    assert answer.status_code == 400
    return {error["field"]: error["detail"] for error in answer.json()["errors"]}


class TestNotFound:
    def test_error_of_every_operation_names_the_parameter_that_names_nothing(self, tenant):
        operator, places = caller.operator(), 0

        for operation in document.protected():
            for name in operation.names:
                answer = graph.ask(operator, operation, tenant.ids | {name: MISSING})

                assert answer.status_code == 404, (operation.operation_id, name, answer.content)
                assert f"with this `{name}`." in answer.json()["detail"], operation.operation_id
                places += 1

        assert places > 50

    def test_error_of_an_unknown_path_mentions_a_slash_at_the_end(self, operator):
        nowhere, with_slash = operator.get("/nowhere").json(), operator.get("/users/").json()

        assert nowhere["detail"] == "Not found. There is no operation at this path."
        assert with_slash["detail"].endswith("Paths have no slash at the end.")


class TestUnauthorized:
    def test_error_names_both_headers(self, settings):
        detail = caller.Caller("mcak_wrong").get("/users").json()["detail"]

        assert settings.API_KEY_HEADER in detail
        assert "Authorization: Bearer" in detail


class TestUnknownNames:
    def test_nearest_field_is_proposed(self, operator):
        answer = operator.post("/users", {"emial": "ada@example.com", "zzz": 1})

        assert errors(answer) == {
            "emial": "There is no field with this name. Did you mean `email`?",
            "zzz": "There is no field with this name.",
        }

    def test_nearest_field_within_an_object_is_proposed(self, business, user):
        answer = business.post(
            f"/users/{user.pk}/prompts",
            {"name": "Bakery", "instructions": "Be kind.", "parameters": {"temprature": 1}},
        )

        assert errors(answer) == {
            "parameters.temprature": "There is no field with this name. Did you mean `temperature`?"
        }

    def test_nearest_query_parameter_is_proposed(self, business, user):
        answer = business.get(f"/users/{user.pk}/messages?custmer_phone=1")

        assert errors(answer) == {
            "custmer_phone": "There is no query parameter with this name. Did you mean `customer_phone`?"
        }

    def test_unknown_variable_of_a_prompt_proposes_the_nearest(self, business, user):
        answer = business.post(
            f"/users/{user.pk}/prompts", {"name": "Bakery", "instructions": "Greet {{custmer_name}}."}
        )

        assert answer.status_code == 422
        detail = answer.json()["detail"]
        assert detail == "There is no variable `custmer_name`. Did you mean `customer_name`?"


class TestValues:
    def test_every_field_with_choices_or_a_flag_explains_itself(self):
        fields = [field for one in document.serializer_classes() for field in one().fields.values()]
        children = [getattr(field, "child", field) for field in fields]

        choices = [field for field in children if isinstance(field, serializers.ChoiceField)]
        flags = [field for field in children if isinstance(field, serializers.BooleanField)]
        assert choices
        assert flags
        assert [type(field) for field in choices if not isinstance(field, ChoiceField)] == []
        assert [type(field) for field in flags if not isinstance(field, FlagField | QueryFlagField)] == []

    def test_messages_of_our_fields_are_sentences(self):
        ours = [
            (name, text)
            for one in document.serializer_classes()
            for field in one().fields.values()
            for name, text in field.error_messages.items()
            if type(field).__module__.startswith(("config.", "agents.", "billing."))
        ]

        assert ours
        assert [(name, text) for name, text in ours if not is_sentence(str(text))] == []

    def test_wrong_choice_lists_the_choices(self, operator, business, user):
        body = business.post(f"/users/{user.pk}/phone_numbers", {"type": "sms"})
        query = business.get(f"/users/{user.pk}/messages?order=random")

        assert errors(body)["type"] == "This field must be one of `whatsapp`, `instagram`, `webchat`."
        assert errors(query)["order"] == "This field must be one of `newest`, `oldest`."

    @pytest.mark.parametrize("value", ["yes", 1, None])
    def test_wrong_boolean_says_true_or_false(self, business, user, value):
        answer = business.post(f"/users/{user.pk}/phone_numbers", {"type": "webchat", "verify": value})

        expected = "This field may not be null." if value is None else "This field must be `true` or `false`."
        assert errors(answer)["verify"] == expected

    def test_flag_of_a_retry_takes_no_other_word(self, tenant):
        place = f"/users/{tenant.user_id}/messages/{tenant.ids['message_id']}/retry"

        answer = tenant.caller.post(place, {"may_repeat": "yes"})

        assert errors(answer)["may_repeat"] == "This field must be `true` or `false`."

    def test_field_is_empty_where_the_whole_body_is_at_fault(self, operator):
        answer = operator.post("/users", [])

        assert errors(answer) == {"": "This must be a JSON object."}


class TestAccept:
    def test_that_excludes_the_response_is_answered_406_by_every_operation_and_nothing_is_done(self, tenant):
        operator = caller.operator()
        operator.get("/users")
        before = graph.rows()

        for operation in document.protected():
            answer = graph.ask(operator, operation, tenant.ids, Accept="application/xml")

            problem = answer.json()
            assert (answer.status_code, problem["code"]) == (406, "not_acceptable"), operation.operation_id
            assert "`application/json`" in problem["detail"]
        assert graph.rows() == before

    @pytest.mark.parametrize("accept", ["text/html;q=0.9, image/*", "application/json;q=0", "json"])
    def test_that_excludes_json_is_not_met(self, tenant, accept):
        assert tenant.caller.get(f"/users/{tenant.user_id}", Accept=accept).status_code == 406

    @pytest.mark.parametrize(
        "accept",
        ["*/*", "application/*", "application/json; charset=utf-8", "text/html, */*;q=0.1", "", "*"],
    )
    def test_that_includes_json_is_met(self, tenant, accept):
        assert tenant.caller.get(f"/users/{tenant.user_id}", Accept=accept).status_code == 200

    @pytest.mark.parametrize("accept", ["text/csv", "application/json"])
    def test_of_a_file_may_name_its_type_or_that_of_errors(self, tenant, accept):
        place = f"/users/{tenant.user_id}/extractions/export"

        assert tenant.caller.get(place, Accept=accept).status_code == 200


class TestLink:
    def test_holds_the_whole_address_of_the_next_page(self, operator, tenant):
        graph.build()

        answer = operator.get("/users?limit=1")

        cursor = answer.json()["next_cursor"]
        assert answer["Link"] == f'<http://testserver/users?limit=1&cursor={cursor}>; rel="next"'
        assert operator.get(answer["Link"][1:].partition(">")[0]).status_code == 200
