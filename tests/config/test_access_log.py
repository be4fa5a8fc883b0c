"""One line for each request, whichever layer answered it, and nothing in it that must not be."""

import json
import re
from unittest.mock import AsyncMock

import pytest

from billing import keys
from billing.api import users
from channels_app import webhook_fast_path
from config import asgi, live, webhook_asgi
from config.lib import access_log
from config.lib.api.parsing import MOST_BYTES as API_BYTES
from tests.config.gateway_calls import SIGNATURE, WEBHOOK, Call, call
from tests.factories import UserFactory
from tests.house.test_rules import all_routes
from tests.log_lines import written_lines
from tests.webchat.browser_calls import SHOP, web_chat

PHONE = "12025550143"


@pytest.fixture
def lines():
    with written_lines() as lines:
        yield lines


@pytest.fixture
def business(transactional_db, valkey):
    return UserFactory()


@pytest.fixture
def key(business):
    return keys.create(user_id=business.pk, name="test")[1]


def request_line(lines) -> dict:
    [line] = [line for line in lines() if line["event"].endswith(".request")]
    return line


class TestApiRequest:
    def test_line_names_route_business_and_key_and_has_the_callers_correlation_id(self, lines, business, key):
        path = f"/users/{business.pk}/messages"
        answer = call(asgi.application, "GET", path, x_api_key=key, query=f"customer_phone=%2B{PHONE}")

        line = request_line(lines)
        assert answer.status == 200
        assert line["event"] == "api.request"
        assert line["level"] == "info"
        assert line["correlation_id"] == answer.headers["x-correlation-id"]
        assert {name: line[name] for name in ("method", "route", "status", "user_id", "key_prefix")} == {
            "method": "GET", "route": "/users/{user_id}/messages", "status": 200,
            "user_id": business.pk, "key_prefix": key.split("_")[1],
        }  # fmt: skip
        assert isinstance(line["ms"], int)
        assert PHONE not in json.dumps(lines())

    def test_line_of_an_operators_request_names_the_business_of_the_path(self, lines, business):
        operator_key = keys.create(user_id=None, name="test")[1]

        call(asgi.application, "GET", f"/users/{business.pk}/credits", x_api_key=operator_key)

        assert request_line(lines)["user_id"] == business.pk

    def test_line_without_a_valid_key_names_no_business(self, lines, business):
        call(asgi.application, "GET", f"/users/{PHONE}/messages", x_api_key="mcak_wrong")

        line = request_line(lines)
        assert line["status"] == 401
        assert "user_id" not in line
        assert PHONE not in json.dumps(lines())

    @pytest.mark.parametrize(
        "refused",
        [
            ("GET /users/{user}/messages/msg_none", {}, 404),
            ("GET /nowhere", {}, 404),
            ("PUT /users/{user}/messages", {}, 405),
            ("GET /users/{user}/messages", {"query": "limit=x"}, 400),
            ("POST /users/{user}/credits", {}, 403),
            ("GET /users/{user}/messages", {"host": "evil.example"}, 400),
            # Refused before Django is called.
            ("POST /users/{user}/prompts", {"content_length": str(API_BYTES + 1)}, 413),
        ],
    )
    def test_refused_request_leaves_one_line_with_the_id_of_its_response(self, lines, business, key, refused):
        (request, headers, status) = refused
        method, path = request.format(user=business.pk).split()
        answer = call(asgi.application, method, path, x_api_key=key, **headers)

        line = request_line(lines)
        assert (answer.status, line["status"]) == (status, status)
        assert line["correlation_id"] == answer.headers["x-correlation-id"]
        assert all(other["correlation_id"] == line["correlation_id"] for other in lines())
        assert business.pk not in line["route"]
        assert not [other for other in lines() if other["logger"] == "django.request"]

    def test_throttled_request_leaves_a_line(self, lines, business, key, settings):
        settings.API_RATE_LIMIT = 1
        for _ in range(2):
            answer = call(asgi.application, "GET", f"/users/{business.pk}", x_api_key=key)

        line = [line for line in lines() if line["event"] == "api.request"][-1]
        assert (answer.status, line["status"]) == (429, 429)
        assert line["key_prefix"] == key.split("_")[1]

    def test_line_of_a_5xx_has_the_masked_exception(self, lines, business, key, monkeypatch):
        def fail(*_: object, **__: object) -> None:
            raise ValueError(f"it broke for +{PHONE}")

        monkeypatch.setattr(users.UserView, "get", fail)

        answer = call(asgi.application, "GET", f"/users/{business.pk}", x_api_key=key)

        line = request_line(lines)
        assert (answer.status, line["status"], line["level"]) == (500, 500, "error")
        assert "ValueError: it broke for +12…43" in line["exception"]
        assert PHONE not in json.dumps(lines())


class TestOtherRequests:
    @pytest.mark.parametrize(
        ("path", "event", "route"),
        [
            ("/admin/login/", "admin.request", "/admin/login/"),
            ("/docs/", "page.request", "/docs/"),
            ("/schema", "page.request", "/schema"),
            ("/webchat/web_none/config", "webchat.request", "/webchat/{phone_number_id}/config"),
        ],
    )
    def test_pages_and_visitors_requests_have_events_of_their_own(self, lines, business, path, event, route):
        call(asgi.application, "GET", path)

        line = request_line(lines)
        assert (line["event"], line["route"]) == (event, route)

    def test_visitors_request_names_the_number_and_its_business(self, lines, business):
        chat = web_chat()

        call(asgi.application, "GET", f"/webchat/{chat.pk}/config", origin=SHOP)

        line = request_line(lines)
        assert (line["phone_number_id"], line["user_id"]) == (chat.pk, chat.phone_number.user_id)

    def test_refused_upload_leaves_a_line(self, lines, business):
        chat = web_chat()

        answer = call(asgi.application, "POST", f"/webchat/{chat.pk}/files", b"x", origin=SHOP)

        line = request_line(lines)
        assert (answer.status, line["status"]) == (401, 401)
        assert line["route"] == "/webchat/{phone_number_id}/files"
        assert line["correlation_id"] == answer.headers["x-correlation-id"]

    def test_health_checks_and_files_are_logged_at_debug_only(self, lines, business):
        call(asgi.application, "GET", "/health/live")
        call(asgi.application, "GET", "/static/staff/admin.css")

        assert lines() == []

    def test_event_stream_that_is_refused_leaves_a_line(self, lines, business):
        answer = call(live.application, "GET", "/webchat/web_none/events")

        line = request_line(lines)
        assert (answer.status, line["status"]) == (404, 404)
        assert (line["event"], line["route"]) == ("webchat.request", "/webchat/{phone_number_id}/events")
        assert line["correlation_id"] == answer.headers["x-correlation-id"]

    def test_request_whose_client_closes_the_connection_leaves_a_line(self, lines, business, monkeypatch):
        monkeypatch.setattr(Call, "receive", AsyncMock(return_value={"type": "http.disconnect"}))

        call(asgi.application, "POST", "/webchat/web_none/messages")

        line = request_line(lines)
        assert (line["status"], line["route"]) == (499, "/webchat/{phone_number_id}/messages")


class TestWebhookRequest:
    @pytest.mark.parametrize(
        "refused",
        [
            (f"GET {WEBHOOK}", {}, 403),
            ("POST /users", {}, 404),
            (f"POST {WEBHOOK}", {"content_length": "99999999"}, 401),
            (f"POST {WEBHOOK}", {"content_length": "99999999", "x_hub_signature_256": SIGNATURE}, 413),
        ],
    )
    def test_refused_request_leaves_one_line(self, lines, business, refused):
        (request, headers, status) = refused
        method, path = request.split()
        answer = call(webhook_asgi.application, method, path, b"{}", **headers)

        line = request_line(lines)
        assert (answer.status, line["status"]) == (status, status)
        assert line["route"] == (WEBHOOK if path == WEBHOOK else "")
        assert line["correlation_id"] == answer.headers["x-correlation-id"]

    def test_webhook_with_a_wrong_signature_leaves_a_line_of_its_own(self, lines, business):
        answer = call(webhook_asgi.application, "POST", WEBHOOK, b"{}", x_hub_signature_256=SIGNATURE)

        [line] = lines()
        assert (answer.status, line["event"]) == (401, "webhook.signature_refused")
        assert line["correlation_id"] == answer.headers["x-correlation-id"]

    def test_webhook_that_fails_unexpectedly_leaves_a_line_with_the_exception(
        self, lines, business, monkeypatch
    ):
        monkeypatch.setattr(webhook_fast_path, "receive", AsyncMock(side_effect=ZeroDivisionError))

        answer = call(webhook_asgi.application, "POST", WEBHOOK, b"{}", x_hub_signature_256=SIGNATURE)

        line = request_line(lines)
        assert (answer.status, line["status"], line["level"]) == (500, 500, "error")
        assert "ZeroDivisionError" in line["exception"]


class TestEveryRoute:
    def test_has_a_template_without_a_converter_or_a_pattern(self):
        templates = [access_log._template(route) for route, _ in all_routes()]

        assert len(templates) > 50
        assert [template for template in templates if re.search(r"[<>^$(]", template)] == []
