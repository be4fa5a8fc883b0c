"""Floods are stopped by visitor, by address and by chat, in messages and bytes, also while Redis is away."""

from collections import Counter

import pytest
from django.utils import timezone

from channels_app.models import InboundMessage, UnsentPicture
from channels_app.webchat import chats, limits, sessions
from config.lib import redis
from config.lib.api.problems import ProblemError
from conversations.api.webchat_uploads import check_upload
from tests.conversations import answering
from tests.webchat.browser_calls import PNG, Browser, web_chat

pytestmark = pytest.mark.django_db


@pytest.fixture
def proxied(settings):
    """A proxy of ours tells where requests come from."""
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}


@pytest.fixture
def no_redis(monkeypatch):
    # Longer than a test takes on a busy machine.
    monkeypatch.setattr(redis.breaker, "pause", 3600.0)
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

    def test_stop_one_address_at_a_tenth_of_a_chats_day(self, chat, proxied):
        chats.change(phone_number_id=chat.pk, daily_limit=300)
        neighbours = [Browser(chat).begin_from(f"2001:db8:1:2::{n}") for n in range(2)]

        answers = [one.write("Hi", message_id=f"message-{n}") for one in neighbours for n in range(20)]

        assert statuses(answers) == {202: 30, 429: 10}
        assert answers[-1].json()["code"] == "address_limit_reached"
        assert 60 < int(answers[-1]["Retry-After"]) <= 2 * 24 * 3600
        assert Browser(chat).begin_from("2001:db8:1:3::1").write("Hi").status_code == 202

    def test_leave_one_address_a_talk_where_a_chats_day_is_short(self, chat):
        chats.change(phone_number_id=chat.pk, daily_limit=100)
        visitors = [Browser(chat).begin() for _ in range(2)]

        answers = [one.write("Hi", message_id=f"message-{n}") for one in visitors for n in range(15)]

        assert statuses(answers) == {202: 20, 429: 10}

    def test_do_not_count_another_chats_messages_from_an_address(self, browser, chat):
        other = web_chat()
        for one in (chat, other):
            chats.change(phone_number_id=one.pk, daily_limit=100)
        spent = [browser.write("Hi", message_id=f"message-{n}") for n in range(20)]

        assert statuses(spent) == {202: 20}
        assert Browser(chat).begin().write("Hi").status_code == 429
        assert Browser(other).begin().write("Hi").status_code == 202

    def test_stop_a_chat_that_takes_nothing(self, browser, chat):
        chats.change(phone_number_id=chat.pk, daily_limit=0)

        assert browser.write("Hi").status_code == 429

    def test_are_a_quarter_without_redis(self, browser, no_redis):
        answers = [browser.write("Hi", message_id=f"message-{n}") for n in range(10)]

        assert statuses(answers) == {202: 5, 429: 5}


class TestPictures:
    """A picture of the tests has 48 bytes."""

    def test_of_an_address_are_limited_by_bytes_a_day(self, chat, proxied, settings):
        settings.WEBCHAT_DAILY_ADDRESS_BYTES = 2 * len(PNG) + 10
        neighbours = [Browser(chat).begin_from(f"2001:db8:1:2::{n}") for n in range(3)]

        answers = [one.upload() for one in neighbours]

        assert statuses(answers) == {201: 2, 429: 1}
        assert answers[-1].json()["code"] == "picture_limit_reached"
        assert 60 < int(answers[-1]["Retry-After"]) <= 2 * 24 * 3600
        assert Browser(chat).begin_from("2001:db8:1:3::1").upload().status_code == 201

    def test_of_an_address_are_limited_over_all_chats(self, chat, settings):
        settings.WEBCHAT_DAILY_ADDRESS_BYTES = len(PNG)

        assert Browser(chat).begin().upload().status_code == 201
        assert Browser(web_chat()).begin().upload().status_code == 429

    def test_of_a_chat_are_limited_by_bytes_a_day(self, chat, proxied, settings):
        settings.WEBCHAT_DAILY_CHAT_BYTES = 2 * len(PNG)
        crowd = [Browser(chat).begin_from(f"10.0.0.{n}") for n in range(3)]

        answers = [one.upload() for one in crowd]

        assert statuses(answers) == {201: 2, 429: 1}
        assert answers[-1].json()["code"] == "picture_limit_reached"
        assert Browser(web_chat()).begin_from("10.0.0.9").upload().status_code == 201
        assert UnsentPicture.objects.count() == 3

    def test_that_is_announced_too_large_for_the_day_is_refused_before_its_body_is_read(self, chat, settings):
        settings.WEBCHAT_DAILY_ADDRESS_BYTES = 1000

        def announce(size: int | None) -> None:
            visitor = sessions.begin(chat, now=timezone.now()).visitor
            check_upload(chat, visitor, address="10.0.0.1", content_length=size)

        announce(1000)
        for size in (1001, 10**18, None):
            with pytest.raises(ProblemError) as refused:
                announce(size)
            assert (refused.value.status_code, refused.value.get_codes()) == (429, "picture_limit_reached")

    def test_that_is_announced_and_not_sent_uses_up_nothing(self, chat, settings):
        settings.WEBCHAT_DAILY_ADDRESS_BYTES = settings.WEBCHAT_DAILY_CHAT_BYTES = 6_000_000
        visitor = sessions.begin(chat, now=timezone.now()).visitor

        for _ in range(3):
            check_upload(chat, visitor, address="127.0.0.1", content_length=5_000_000)

        assert Browser(chat).begin().upload().status_code == 201

    @pytest.mark.django_db(transaction=True)
    def test_of_an_anonymous_visitor_are_few_until_the_first_reply(self, browser, chat, model):
        refused = [browser.upload() for _ in range(4)][-1]
        browser.write("Is it broken?")
        still_refused = browser.upload()
        answering.drain(chat.pk)

        assert [one.json()["code"] for one in (refused, still_refused)] == ["reply_awaited"] * 2
        assert int(refused["Retry-After"]) == 60
        assert browser.upload().status_code == 201

    def test_of_a_known_user_need_no_reply(self, chat):
        browser = Browser(chat).begin(identity_token=chat.token_of())

        assert statuses(browser.upload() for _ in range(5)) == {201: 5}

    def test_are_limited_to_a_quarter_without_redis(self, browser, chat, settings, no_redis):
        settings.WEBCHAT_DAILY_ADDRESS_BYTES = 4 * len(PNG)

        answers = [browser.upload() for _ in range(2)]
        other = Browser(chat).begin().upload()

        assert [answer.json().get("code") for answer in answers] == [None, "picture_limit_reached"]
        assert other.json()["code"] == "picture_limit_reached"
