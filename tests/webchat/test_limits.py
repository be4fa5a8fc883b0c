"""Floods are stopped by visitor, by address and by chat, also while Redis is away."""

from collections import Counter

import pytest

from channels_app.models import InboundMessage
from channels_app.webchat import chats, limits
from config.lib import redis
from tests.webchat.browser_calls import Browser, web_chat

pytestmark = pytest.mark.django_db


@pytest.fixture
def proxied(settings):
    """A proxy of ours tells where requests come from."""
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}


@pytest.fixture
def no_redis():
    limits._in_process.cache_clear()
    for _ in range(3):
        redis.breaker.failed()
    yield
    redis.breaker.succeeded()
    limits._in_process.cache_clear()


def statuses(answers) -> Counter:
    return Counter(answer.status_code for answer in answers)


class TestLimits:
    def test_stop_one_visitor(self, browser, chat):
        answers = [browser.write("Hi", message_id=f"message-{n}") for n in range(25)]

        assert statuses(answers) == {202: 20, 429: 5}
        assert answers[-1].json()["code"] == "throttled"
        assert 1 <= int(answers[-1]["Retry-After"]) <= 60
        assert Browser(chat).begin().write("Hi").status_code == 202

    def test_stop_one_address(self, chat):
        visitors = [Browser(chat).begin() for _ in range(4)]

        answers = [visitor.write("Hi", message_id=f"message-{n}") for visitor in visitors for n in range(20)]

        assert statuses(answers) == {202: 60, 429: 20}

    def test_stop_whoever_begins_session_after_session(self, chat):
        answers = [Browser(chat).post("sessions") for _ in range(35)]

        assert statuses(answers) == {201: 30, 429: 5}

    def test_do_not_believe_a_forged_address(self, chat):
        answers = [Browser(chat).post("sessions", X_Forwarded_For=f"10.0.0.{n}") for n in range(35)]

        assert statuses(answers) == {201: 30, 429: 5}

    def test_take_the_addresses_of_one_household_for_one(self, chat, proxied):
        answers = [Browser(chat).post("sessions", X_Forwarded_For=f"2001:db8:1:2::{n:x}") for n in range(35)]

        assert statuses(answers) == {201: 30, 429: 5}
        assert Browser(chat).post("sessions", X_Forwarded_For="2001:db8:1:3::1").status_code == 201

    def test_stop_a_flood_from_everywhere_in_one_chat_and_no_other(self, chat, proxied, monkeypatch):
        monkeypatch.setattr(limits, "MESSAGES_BY_CHAT", 10)
        crowd = [Browser(chat).begin_from(f"10.0.1.{n}") for n in range(15)]

        answers = [one.write("Hi") for one in crowd]

        assert statuses(answers) == {202: 10, 429: 5}
        assert Browser(web_chat()).begin_from("10.0.2.1").write("Hi").status_code == 202

    def test_stop_a_chat_for_the_day(self, browser, chat):
        chats.change(phone_number_id=chat.pk, daily_limit=3)

        answers = [browser.write("Hi", message_id=f"message-{n}") for n in range(5)]

        assert statuses(answers) == {202: 3, 429: 2}
        assert answers[-1].json()["code"] == "daily_limit_reached"
        assert InboundMessage.objects.count() == 3

    def test_stop_a_chat_that_takes_nothing(self, browser, chat):
        chats.change(phone_number_id=chat.pk, daily_limit=0)

        assert browser.write("Hi").status_code == 429

    def test_are_a_quarter_without_redis(self, browser, no_redis):
        answers = [browser.write("Hi", message_id=f"message-{n}") for n in range(10)]

        assert statuses(answers) == {202: 5, 429: 5}
