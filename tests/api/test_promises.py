"""Promises of api.md and errors.md that no other test shows; tests/documentation/promises.toml lists all."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from agents.models import Agent
from billing.models import ApiKey
from config import webhook_asgi
from tests.api import caller, document, graph
from tests.config.gateway_calls import WEBHOOK, call
from tests.documentation.configuration import sections
from tests.factories import UserFactory
from tests.rig import PROJECT
from tests.webchat.browser_calls import Browser, web_chat

pytestmark = pytest.mark.django_db

PAGE = (PROJECT / "documentation" / "api.md").read_text()
# A delivery is changed by nobody.
_WITHOUT_ETAG = {"get_webhook_delivery"}


@pytest.fixture
def tenant(db, valkey):
    return graph.build()


class TestBodies:
    def test_response_is_json_in_utf8(self, business, user):
        business.patch(f"/users/{user.pk}", {"company_name": "Bäckerei 麺麭"})

        answer = business.get(f"/users/{user.pk}")

        assert answer["Content-Type"] == "application/json"
        assert "Bäckerei 麺麭" in answer.content.decode("utf-8")


class TestKeys:
    def test_key_is_read_from_the_header_that_the_operator_names(self, business, user, settings):
        settings.API_KEY_HEADER = "x-bakery-key"

        named = Client().get(f"/users/{user.pk}", headers={"x-bakery-key": business.key})
        usual = business.get(f"/users/{user.pk}")

        assert (named.status_code, usual.status_code) == (200, 401)
        assert "x-bakery-key" in usual.json()["detail"]

    def test_rotated_key_works_on_for_an_hour_unless_another_grace_is_given(self, business, user):
        prefix = business.key.split("_")[1]

        assert business.post(f"/users/{user.pk}/api_keys/{prefix}/rotate").status_code == 201

        left = ApiKey.objects.get(prefix=prefix).expires_at - timezone.now()
        assert timedelta(minutes=59) < left <= timedelta(hours=1)

    def test_key_that_expired_in_the_past_is_not_made(self, business, user):
        answer = business.post(
            f"/users/{user.pk}/api_keys", {"name": "old", "expires_at": "2020-01-01T00:00:00Z"}
        )

        assert (answer.status_code, answer.json()["code"]) == (422, "expires_in_the_past")


class TestRateLimits:
    def test_documented_limits_are_the_defaults(self):
        defaults = {found.name: found.default for section in sections() for found in section.variables}

        for name in ("API_RATE_LIMIT", "API_BUSINESS_RATE_LIMIT"):
            documented = re.search(rf"`{name}`[^(]*\(([\d,]+)\)", PAGE)
            assert documented
            assert documented[1].replace(",", "") == defaults[name]


class TestLists:
    def test_page_has_fifty_entries_unless_another_limit_is_given(self, operator):
        UserFactory.create_batch(51)

        sizes = {query: len(operator.get(f"/users{query}").json()["data"]) for query in ("", "?limit=200")}

        assert sizes == {"": 50, "?limit=200": 51}

    @pytest.mark.parametrize("limit", ["0", "201", "ten"])
    def test_page_takes_no_other_limit(self, operator, limit):
        assert operator.get(f"/users?limit={limit}").status_code == 400

    def test_next_page_of_the_last_one_is_null(self, operator, user):
        answer = operator.get("/users?limit=200")

        assert answer.json()["next_cursor"] is None
        assert "Link" not in answer


class TestRepeating:
    def test_patch_and_delete_sent_again_have_the_same_effect(self, tenant):
        place = f"/users/{tenant.user_id}/agents/{tenant.ids['agent_id']}"
        operator = caller.operator()

        first, second = (operator.patch(place, {"name": "Ada"}).json() for _ in range(2))
        operator.delete(place)
        deleted_at = Agent.objects.get(pk=tenant.ids["agent_id"]).deleted_at
        operator.delete(place)

        assert first == second
        assert Agent.objects.get(pk=tenant.ids["agent_id"]).deleted_at == deleted_at


class TestVersions:
    def test_every_single_thing_comes_with_an_etag(self, tenant):
        operator = caller.operator()
        single = [one for one in document.protected() if one.method == "get" and one.path.endswith("}")]

        for operation in single:
            answer = operator.get(graph.url(operation, tenant.ids))

            if operation.operation_id not in _WITHOUT_ETAG:
                assert re.fullmatch(r'"[0-9a-f]{32}"', answer["ETag"]), operation.operation_id
        assert len(single) > 5

    def test_last_writer_wins_without_if_match(self, business, operator, user):
        place = f"/users/{user.pk}"
        for writer, name in ((business, "First"), (operator, "Second")):
            assert writer.patch(place, {"company_name": name}).status_code == 200

        assert business.get(place).json()["company_name"] == "Second"


class TestRequests:
    def test_query_parameter_given_twice_is_refused(self, business, user):
        answer = business.get(f"/users/{user.pk}/messages?limit=1&limit=2")

        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (400, "parameter_repeated")
        assert [error["field"] for error in problem["errors"]] == ["limit"]

    def test_time_without_an_offset_is_refused(self, business, user):
        place = f"/users/{user.pk}/messages?since="

        naive = business.get(f"{place}2026-11-22T09:00:00").json()

        assert [error["code"] for error in naive["errors"]] == ["naive"]
        assert business.get(f"{place}2026-11-22T09:00:00%2B01:00").status_code == 200

    @pytest.mark.parametrize(
        ("name", "prefix"),
        [
            ("user_id", "usr_"),
            ("agent_id", "agt_"),
            ("prompt_id", "prm_"),
            ("conversation_id", "cnv_"),
            ("message_id", "msg_"),
        ],
    )
    def test_ids_begin_with_what_they_are_for(self, tenant, name, prefix):
        assert f"`{prefix}`" in PAGE
        assert tenant.ids[name].startswith(prefix)


class TestStatuses:
    def test_table_has_every_status_that_an_operation_answers(self):
        rows = re.findall(r"^\| ((?:\d{3}(?:, )?)+) \|", PAGE, re.MULTILINE)
        listed = {int(status) for row in rows for status in row.split(", ")}

        answered = {
            status
            for operation in document.operations()
            for status in operation.statuses
            if operation.is_called_by_programs
        }

        # 405 is answered where there is no operation.
        assert listed == answered | {405}


class TestErrors:
    """The codes that no other test provokes."""

    def test_host_that_is_not_served_is_a_bad_request(self, settings):
        settings.ALLOWED_HOSTS = ["agents.example"]

        answer = Client().get("/users", headers={"host": "elsewhere.example"})

        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")

    def test_server_message_without_a_signature_is_refused(self, transactional_db):
        answer = call(webhook_asgi.application, "POST", WEBHOOK, b'{"platform_type": "webchat"}')

        assert (answer.status, answer.code) == (401, "signature_invalid")

    def test_web_chat_with_an_impossible_origin_is_refused(self, business, user):
        answer = business.post(
            f"/users/{user.pk}/phone_numbers",
            {"type": "webchat", "webchat": {"allowed_origins": ["ftp://shop.example"]}},
        )

        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (422, "invalid_webchat_setting")
        assert [error["field"] for error in problem["errors"]] == ["webchat.allowed_origins"]

    def test_file_that_is_no_picture_is_refused(self, valkey):
        answer = Browser(web_chat()).begin().upload(b"%PDF-1.7")

        assert (answer.status_code, answer.json()["code"]) == (422, "not_a_picture")
