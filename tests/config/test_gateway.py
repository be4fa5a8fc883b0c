"""Bodies and requests of `web` and `webhook`: limits, admission, budgets, and what each process serves."""

import asyncio
import re
from typing import Any

import pytest
from django.test import Client

from agents import removal
from billing import keys
from channels_app.webchat import limits
from channels_app.webchat.files import MOST_BYTES as PICTURE_BYTES
from config import asgi, webhook_asgi
from config.gateway import bodies
from config.gateway.application import Application
from config.gateway.bodies import SMALL_BYTES, BodyRule, Budgets
from config.gateway.responses import Response
from config.lib.api.parsing import MOST_BYTES as API_BYTES
from config.lib.api.problems import ProblemError
from conversations.api.webchat_uploads import admit_upload
from simulator import webhooks
from tests.config.gateway_calls import SIGNATURE, WEBHOOK, Call, call
from tests.house.test_rules import all_routes
from tests.webchat.browser_calls import PNG, SHOP, Browser, web_chat


@pytest.fixture
def visitor(transactional_db, valkey, media_storage) -> Browser:
    """A visitor's browser with a session, in a chat that other threads can see."""
    return Browser(web_chat()).begin()


def upload(visitor: Browser, *parts: bytes, is_complete: bool = True, **headers: str) -> Call:
    given = {"authorization": f"Bearer {visitor.token}", "content_type": "image/png"} | headers
    if visitor.origin:
        given["origin"] = visitor.origin
    path = f"/webchat/{visitor.chat.pk}/files"
    return call(asgi.application, "POST", path, *parts, is_complete=is_complete, **given)


class TestRoles:
    def test_webhook_serves_its_path_and_health_and_nothing_else(self, db):
        served = {
            path: call(webhook_asgi.application, "GET", path).status
            for path in (WEBHOOK, "/health/live", "/users", "/admin/", "/docs/", "/widget.js", "/", "/demo",
                         "/webchat/web_x/config", "/schema", "/static/staff/admin.css", "/media/m/0",
                         f"{WEBHOOK}/")
        }  # fmt: skip

        assert {path for path, status in served.items() if status != 404} == {WEBHOOK, "/health/live"}

    def test_web_does_not_serve_the_webhook(self, db):
        body = b'{"object": "whatsapp_business_account", "entry": []}'
        signed = webhooks.sign(body, "test-app-secret")

        assert call(asgi.application, "GET", WEBHOOK).status == 404
        assert call(asgi.application, "POST", WEBHOOK, body, x_hub_signature_256=signed).status == 404

    def test_webhook_takes_a_signed_body(self, transactional_db, valkey):
        body = b'{"object": "whatsapp_business_account", "entry": []}'
        signed = webhooks.sign(body, "test-app-secret")

        answer = call(webhook_asgi.application, "POST", WEBHOOK, body, x_hub_signature_256=signed)

        assert answer.status == 200


class TestSizes:
    @pytest.mark.parametrize(
        ("application", "path", "most"),
        [
            (asgi.application, "/admin/login/", SMALL_BYTES),
            (asgi.application, "/webchat/web_none/messages", SMALL_BYTES),
            (asgi.application, "/nowhere", SMALL_BYTES),
            (webhook_asgi.application, "/health/live", SMALL_BYTES),
        ],
    )
    def test_over_the_limit_is_refused_unread(self, db, application, path, most):
        announced = call(application, "POST", path, b"x", content_length=str(most + 1), is_complete=False)
        chunks = [b"x" * SMALL_BYTES] * 100
        chunked = call(application, "POST", path, *chunks, transfer_encoding="chunked")

        assert (announced.status, announced.code, announced.received_before) == (413, "payload_too_large", 0)
        assert announced.headers["connection"] == "close"
        assert (chunked.status, chunked.received_before) == (413, 2)

    def test_of_the_api_is_one_megabyte_with_a_key_that_works(self, transactional_db, valkey):
        _, key = keys.create(user_id=None, name="test")
        more = str(API_BYTES + 1)

        body = b"[" + b" " * (API_BYTES - 2) + b"]"
        taken = call(asgi.application, "POST", "/users", body, x_api_key=key, content_type="application/json",
                     content_length=str(API_BYTES))  # fmt: skip
        refused = call(asgi.application, "POST", "/users", b"x", x_api_key=key, content_length=more)

        assert (taken.status, taken.code) == (400, "validation_error")
        assert (refused.status, refused.received_before) == (413, 0)

    @pytest.mark.parametrize("headers", [{}, {"x_api_key": "mcak_00000000_wrong"}])
    def test_of_the_api_is_small_without_a_key(self, transactional_db, valkey, headers):
        answer = call(asgi.application, "POST", "/users", b"x", content_length=str(SMALL_BYTES + 1),
                      is_complete=False, **headers)  # fmt: skip

        assert (answer.status, answer.code, answer.received_before) == (401, "unauthorized", 0)

    def test_of_a_webhook_is_four_megabytes_with_a_signature(self, transactional_db, valkey, settings):
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = b'{"object": "none"}' + b" " * (3 * 1024 * 1024)
        signed = webhooks.sign(body, "test-app-secret")

        def post(*parts: bytes, **more: Any) -> Call:
            return call(webhook_asgi.application, "POST", WEBHOOK, *parts, **more)

        taken = post(body, x_hub_signature_256=signed, content_length=str(len(body)))
        unsigned = post(b"x", content_length=str(len(body)), is_complete=False)
        large = post(b"x", content_length=str(most + 1), is_complete=False, x_hub_signature_256=SIGNATURE)

        assert taken.status == 200
        assert (unsigned.status, unsigned.received_before) == (401, 0)
        assert (large.status, large.received_before) == (413, 0)

    @pytest.mark.parametrize(
        "application", [asgi.application, webhook_asgi.application], ids=["web", "webhook"]
    )
    def test_large_without_credentials_are_read_on_no_route(self, transactional_db, valkey, application):
        paths = {"/" + re.sub(r"<[^>]+>", "x1", route) for route, _ in all_routes()}

        read = {
            path
            for path in paths
            for method in ("POST", "PUT", "PATCH", "DELETE", "GET")
            for size in ({"content_length": str(SMALL_BYTES + 1)}, {"transfer_encoding": "chunked"})
            if (answer := call(application, method, path, *[b"x" * SMALL_BYTES] * 3, **size)).received_before
            > 2
            or answer.status not in {401, 404, 413}
        }

        assert read == set()


class TestUploads:
    def test_with_a_session_are_stored(self, visitor):
        picture = PNG + bytes(PICTURE_BYTES - len(PNG))

        answer = upload(visitor, picture, content_length=str(len(picture)))

        assert answer.status == 201
        assert answer.headers["access-control-allow-origin"] == SHOP

    def test_are_counted_once(self, visitor, monkeypatch):
        monkeypatch.setattr(limits, "FILES_BY_VISITOR", 2)

        statuses = [upload(visitor, PNG).status for _ in range(3)]

        assert statuses == [201, 201, 429]

    def test_over_the_limit_are_refused_unread_where_the_page_can_read_it(self, visitor):
        answer = upload(visitor, b"x", content_length=str(PICTURE_BYTES + 1), is_complete=False)

        assert (answer.status, answer.received_before) == (413, 0)
        assert answer.headers["access-control-allow-origin"] == SHOP

    @pytest.mark.parametrize(
        "fault", ["no chat", "no session", "wrong session", "other chat's session", "other page", "no page",
                  "deleted", "too many"]
    )  # fmt: skip
    def test_are_refused_unread_as_the_view_refuses_them(self, visitor, monkeypatch, fault):
        if fault == "no chat":
            visitor.chat.pk = "web_none"
        elif fault == "no session":
            visitor.token = ""
        elif fault == "wrong session":
            visitor.token = "wrong"
        elif fault == "other chat's session":
            visitor.token = Browser(web_chat()).begin().token
        elif fault == "other page":
            visitor.origin = "https://evil.example"
        elif fault == "no page":
            visitor.origin = None
        elif fault == "deleted":
            removal.remove(phone_number_id=visitor.chat.pk)
        elif fault == "too many":
            monkeypatch.setattr(limits, "FILES_BY_VISITOR", 0)

        by_view = visitor.upload()
        by_gateway = upload(visitor, b"x", is_complete=False, content_length="100")

        assert (by_gateway.status, by_gateway.code) == (by_view.status_code, by_view.json()["code"])
        assert by_gateway.received_before == 0
        for name in ("access-control-allow-origin", "www-authenticate", "content-type"):
            assert by_gateway.headers.get(name) == by_view.headers.get(name), name

    def test_cannot_be_declared_admitted_by_a_header(self, visitor, monkeypatch):
        monkeypatch.setattr(limits, "FILES_BY_VISITOR", 0)
        client = Client(headers={"webchat.upload_admitted": "1", "webchat-upload-admitted": "1"})

        answer = client.post(
            f"/webchat/{visitor.chat.pk}/files", PNG, content_type="image/png",
            headers={"Origin": SHOP, "Authorization": f"Bearer {visitor.token}"},
        )  # fmt: skip

        assert answer.status_code == 429

    def test_are_admitted_by_the_same_address_as_the_view_counts(self, visitor, monkeypatch):
        monkeypatch.setattr(limits, "FILES_BY_ADDRESS", 0)
        headers = {"origin": SHOP, "authorization": f"Bearer {visitor.token}"}

        with pytest.raises(ProblemError) as refused:
            admit_upload(phone_number_id=visitor.chat.pk, headers=headers, address="203.0.113.7")

        assert refused.value.status_code == 429


class TestBudgets:
    @staticmethod
    def application(
        *, small: int = 1024, large: int = 1024, max_requests: int = 10, work=None
    ) -> Application:
        async def respond(_request, body: bytes, _is_admitted) -> Response:
            if work:
                await work()
            return Response(200, [], str(len(body)).encode())

        rule = BodyRule(max_bytes=10 * SMALL_BYTES)
        application = Application(rule_of=lambda _: rule, respond=respond, max_requests=max_requests)
        application.budgets = Budgets(small=small, large=large)
        return application

    def test_used_up_by_large_bodies_leaves_room_for_small_ones(self):
        application = self.application(small=4 * SMALL_BYTES, large=SMALL_BYTES)

        large = call(application, "POST", "/", b"x" * (3 * SMALL_BYTES))
        small = call(application, "POST", "/", b"x" * SMALL_BYTES)

        assert (large.status, large.code) == (503, "unavailable")
        assert int(large.headers["retry-after"]) > 0
        assert small.status == 200

    def test_are_whole_again_after_every_kind_of_end(self):
        application = self.application(small=4 * SMALL_BYTES, large=4 * SMALL_BYTES)

        ends = [
            call(application, "POST", "/", b"x" * (2 * SMALL_BYTES)).status,
            call(application, "POST", "/", b"x" * (5 * SMALL_BYTES)).status,
            call(application, "POST", "/", b"x" * (11 * SMALL_BYTES)).status,
        ]

        assert ends == [200, 503, 413]
        for budget in (application.budgets.small, application.budgets.large):
            assert (budget.used_bytes, dict(budget._by_address)) == (0, {})

    def test_cannot_be_used_up_by_one_address(self):
        budget = bodies.Budget(100)
        budget.take("a", 50)

        with pytest.raises(ProblemError):
            budget.take("a", 1)
        budget.take("b", 50)

        assert budget.used_bytes == 100

    def test_requests_over_the_bound_are_refused_and_those_that_only_send_do_not_count(self):
        async def scenario() -> list[int]:
            release = asyncio.Event()
            application = self.application(small=10_000, max_requests=1, work=release.wait)
            sending = [Call("POST", "/", b"x", is_complete=False) for _ in range(50)]
            tasks = [asyncio.ensure_future(application(one.scope, one.receive, one.send)) for one in sending]
            first = Call("GET", "/")
            tasks.append(asyncio.ensure_future(application(first.scope, first.receive, first.send)))
            await asyncio.sleep(0.01)
            second = await Call("GET", "/").to(application)
            release.set()
            third = await Call("GET", "/").to(application)
            for task in tasks[:-1]:
                task.cancel()
            await tasks[-1]
            return [first.status, second.status, third.status]

        assert asyncio.run(scenario()) == [200, 503, 200]


class TestTime:
    def test_a_body_that_stops_is_given_up(self, monkeypatch):
        monkeypatch.setattr(bodies, "STALL_SECONDS", 0.02)

        answer = call(TestBudgets.application(), "POST", "/", b"x", is_complete=False)

        assert (answer.status, answer.headers["connection"]) == (408, "close")

    def test_a_body_that_drips_is_given_up(self):
        class Dripping(Call):
            async def receive(self) -> dict:
                await asyncio.sleep(0.005)
                return await super().receive()

        rule = BodyRule(seconds=0.05)
        application = Application(rule_of=lambda _: rule, respond=None, max_requests=1)
        dripping = Dripping("POST", "/", *[b"x"] * 100_000)

        assert asyncio.run(dripping.to(application)).status == 408


class TestErrors:
    def test_are_answered_with_the_correlation_id_and_reach_no_server(self):
        async def respond(*_: object) -> Response:
            raise ZeroDivisionError

        application = Application(rule_of=lambda _: BodyRule(), respond=respond, max_requests=1)

        answer = call(application, "GET", "/", x_correlation_id="trace-1")

        assert (answer.status, answer.code) == (500, "internal_error")
        assert answer.headers["x-correlation-id"] == "trace-1"

    def test_of_a_database_that_is_away_during_admission_are_503(self):
        from django.db import OperationalError

        def admit(_request: object) -> dict:
            raise OperationalError

        rule = BodyRule(admit=admit, admits_every_size=True)
        application = Application(rule_of=lambda _: rule, respond=None, max_requests=1)

        assert call(application, "POST", "/", b"x").status == 503
