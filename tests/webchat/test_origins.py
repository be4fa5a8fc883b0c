"""A chat stands on the pages it was allowed on, told by their exact origin, and on no other."""

import pytest
from django.test import Client

from channels_app.models import InboundMessage
from channels_app.webchat import origins
from channels_app.webchat.origins import InvalidOriginError
from tests.webchat.browser_calls import SHOP, Browser

pytestmark = pytest.mark.django_db
OTHERS = (
    "https://evil.example",
    "null",
    "https://shop.example.evil",
    "https://evil-shop.example",
    "https://www.shop.example",
    "http://shop.example",
    "https://shop.example:8443",
    "https://SHOP.example",
    "https://shop.example.",
    "https://shop.example/",
    "https://shop.example, https://evil.example",
    "https://shop.example@evil.example",
    "*",
    "",
)
PLACES: tuple = (
    ("get", "config", None),
    ("post", "sessions", {}),
    ("post", "messages", {"message_id": "message-1", "text": "Hello"}),
    ("get", "messages", None),
    ("post", "read", {"cursor": "x"}),
    ("post", "files", {}),
    ("get", "files/" + "0" * 48 + "-png", None),
)


class TestOtherPages:
    @pytest.mark.parametrize("origin", [*OTHERS, None])
    def test_may_not_use_the_chat(self, browser, origin):
        browser.origin = origin

        for method, place, body in PLACES:
            answer = browser.ask(method, place, body)

            assert (answer.status_code, answer.json()["code"]) == (403, "origin_not_allowed"), place
            assert not answer.has_header("Access-Control-Allow-Origin"), place
            assert "origin" in answer["Vary"].lower(), place
        assert not InboundMessage.objects.exists()

    @pytest.mark.parametrize("origin", OTHERS)
    def test_are_not_told_that_they_may(self, browser, origin):
        browser.origin = origin

        answer = browser.ask("options", "messages", Access_Control_Request_Method="POST")

        assert answer.status_code == 403
        assert not answer.has_header("Access-Control-Allow-Origin")
        assert "origin" in answer["Vary"].lower()

    def test_of_another_chat_may_not_use_this_one(self, browser):
        browser.origin = "https://other.example"

        assert browser.get("config").status_code == 403


class TestTheShop:
    def test_may_use_the_chat_and_read_the_answer(self, browser):
        for method, place, body in PLACES:
            answer = browser.ask(method, place, body)

            assert answer.status_code != 403, place
            assert answer["Access-Control-Allow-Origin"] == SHOP, place
            assert not answer.has_header("Access-Control-Allow-Credentials"), place
            assert "origin" in answer["Vary"].lower(), place

    def test_is_told_what_it_may_do(self, browser):
        browser.token = ""

        answer = browser.ask("options", "messages", Access_Control_Request_Method="POST")

        assert answer.status_code == 204
        assert answer["Access-Control-Allow-Origin"] == SHOP
        assert answer["Access-Control-Allow-Methods"] == "GET, POST"
        assert answer["Access-Control-Allow-Headers"] == "authorization, content-type, last-event-id"
        assert answer["Access-Control-Max-Age"] == "600"

    def test_reads_errors_too(self, browser):
        browser.token = "nonsense"

        answer = browser.get("messages")

        assert (answer.status_code, answer.json()["code"]) == (401, "session_invalid")
        assert answer["Access-Control-Allow-Origin"] == SHOP


class TestOurOwnPages:
    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
    def test_may_use_every_chat(self, chat, settings, host):
        assert Browser(chat, origin=f"http://{host}:{settings.API_PORT}").get("config").status_code == 200

    def test_are_those_of_the_widgets_address_in_production(self, chat, settings):
        settings.IS_PRODUCTION, settings.WEBCHAT_WIDGET_URL = True, "https://agents.example/widget.js"

        assert origins.own() == {"https://agents.example"}

    def test_read_without_naming_themselves(self, chat):
        browser = Browser(chat, origin=None)

        assert browser.get("config", Sec_Fetch_Site="same-origin").status_code == 200
        assert browser.get("config", Sec_Fetch_Site="cross-site").status_code == 403
        assert browser.post("sessions", Sec_Fetch_Site="same-origin").status_code == 403


class TestUnknownChats:
    @pytest.mark.parametrize("number", ["web_nobody", "109876543210987"])
    def test_do_not_exist(self, chat, number):
        answer = Client().get(f"/webchat/{number}/config", headers={"Origin": SHOP})

        assert answer.status_code == 404
        assert not answer.has_header("Access-Control-Allow-Origin")


class TestCheck:
    @pytest.mark.parametrize(
        ("given", "found"),
        [
            ("https://shop.example", "https://shop.example"),
            ("https://SHOP.example/", "https://shop.example"),
            ("https://shop.example:443", "https://shop.example"),
            ("https://shop.example:8443", "https://shop.example:8443"),
            ("https://xn--bckerei-5wa.example", "https://xn--bckerei-5wa.example"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://127.0.0.1", "http://127.0.0.1"),
        ],
    )
    def test_gives_an_origin_as_browsers_name_it(self, given, found):
        assert origins.check(given) == found

    @pytest.mark.parametrize(
        "given",
        [
            "", "*", "null", "shop.example", "https://", "https://*.shop.example", "https://shop.example/path",
            "https://shop.example?x", "https://user@shop.example", "https://shop.example:0",
            "https://shop.example:99999", "https://shop_example", "https://-shop.example", "ftp://shop.example",
            "http://shop.example", "https://shop.example evil", "https://shop.example\nhttps://evil.example",
            "https://bäckerei.example", "javascript:alert(1)", "https://" + "a" * 300,
        ],
    )  # fmt: skip
    def test_refuses_what_no_browser_names(self, given):
        with pytest.raises(InvalidOriginError):
            origins.check(given)

    def test_refuses_unprotected_pages_in_production(self, settings):
        settings.IS_PRODUCTION = True

        with pytest.raises(InvalidOriginError):
            origins.check("http://localhost:3000")
