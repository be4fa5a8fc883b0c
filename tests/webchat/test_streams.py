"""Whoever follows a chat is told everything, once, in order, and only theirs; against the real process."""

import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import requests
from django.utils import timezone

from channels_app.webchat.sessions import LIFETIME
from tests import environment
from tests.rig import wait_until
from tests.webchat.event_streams import SHOP, Chat, Reader

MOST = 70


@pytest.fixture(scope="module")
def live(_rig):
    """The process, behind a proxy that tells addresses."""
    _rig.migrate()
    _rig.have("live", TRUSTED_PROXIES="1", LIVE_MAX_STREAMS=str(MOST), LIVE_MAX_STREAMS_PER_ADDRESS="8")
    yield _rig
    _rig.stop("live")


@pytest.fixture
def chat(live):
    live.start("live", TRUSTED_PROXIES="1", LIVE_MAX_STREAMS=str(MOST), LIVE_MAX_STREAMS_PER_ADDRESS="8")
    return Chat.create(live)


@pytest.fixture
def visitor(chat):
    return chat.visitor()


class TestFollowing:
    def test_tells_exactly_what_was_missed_and_then_what_comes(self, visitor):
        visitor.say("one", "two")
        before = visitor.connect()
        before.wait_for("one", "two")
        before.close()
        visitor.say("three", "four")

        after = visitor.connect(cursor=before.cursor)
        after.wait_for("three", "four")
        visitor.say("five")

        after.wait_for("three", "four", "five")
        assert after.told("state") == [{"is_available": True, "is_paused": False}]

    def test_tells_of_more_than_a_page_that_was_missed(self, visitor):
        first = visitor.connect()
        visitor.say("one")
        first.wait_for("one")
        first.close()
        missed = [f"missed {n}" for n in range(120)]
        visitor.say(*missed)

        visitor.connect(cursor=first.cursor).wait_for(*missed)

    def test_tells_a_newcomer_what_they_are_answered(self, chat):
        visitor = chat.visitor(has_written=False)
        reader = visitor.connect()
        wait_until(lambda: reader.told("state"))

        visitor.write()
        visitor.say("Welcome")

        reader.wait_for("Welcome")

    def test_tells_who_types_and_whether_a_person_answers(self, visitor):
        reader = visitor.connect()
        wait_until(lambda: reader.told("state"))

        visitor.ring("typing")
        wait_until(lambda: reader.told("typing"))
        visitor.chat.rig.execute(
            "UPDATE customers SET paused_until = now() + interval '1 hour' WHERE customer_id = %s",
            visitor.customer_id,
        )
        visitor.ring()

        wait_until(lambda: len(reader.told("state")) == 2)
        assert reader.told("typing") == [{"seconds": 20}]
        assert reader.told("state")[1] == {"is_available": True, "is_paused": True}

    def test_ends_when_the_chat_is_gone(self, visitor):
        reader = visitor.connect()
        wait_until(lambda: reader.told("state"))

        visitor.chat.rig.execute(
            "UPDATE phone_numbers SET deleted_at = now() WHERE phone_number_id = %s",
            visitor.chat.business.phone_number_id,
        )
        visitor.ring()

        reader.wait_for_end()
        assert visitor.ask().status_code == 404


@pytest.mark.long
class TestWhoMayFollow:
    @pytest.mark.parametrize(
        ("change", "status"),
        [("secret = 'another'", 200), ("allowed_origins = ARRAY['https://other.example']", 403)],
    )
    def test_is_asked_again_when_others_may(self, visitor, change, status):
        reader = visitor.connect()
        visitor.say("before")
        reader.wait_for("before")

        visitor.chat.rig.execute(
            f"UPDATE web_chats SET {change} WHERE phone_number_id = %s",
            visitor.chat.business.phone_number_id,
        )
        visitor.say("after")

        reader.wait_for_end()
        assert reader.texts == ["before"]
        assert visitor.ask().status_code == status

    def test_is_asked_again_even_if_nothing_is_said(self, visitor):
        reader = visitor.connect()
        wait_until(lambda: reader.told("state"))

        visitor.chat.rig.execute(
            "UPDATE web_chats SET allowed_origins = '{}' WHERE phone_number_id = %s",
            visitor.chat.business.phone_number_id,
        )

        reader.wait_for_end()

    def test_is_not_asked_again_for_other_looks(self, visitor):
        reader = visitor.connect()
        wait_until(lambda: reader.told("state"))

        visitor.chat.rig.execute(
            "UPDATE web_chats SET title = 'Other' WHERE phone_number_id = %s",
            visitor.chat.business.phone_number_id,
        )
        visitor.say("still here")

        reader.wait_for("still here")

    def test_sees_nothing_of_another_visitor(self, chat):
        one, other = chat.visitor(), chat.visitor()
        one.say("for the one")
        readers = one.connect(), other.connect()
        readers[0].wait_for("for the one")

        stolen = other.connect(cursor=readers[0].cursor)
        one.say("and more")
        other.say("for the other")

        readers[0].wait_for("for the one", "and more")
        readers[1].wait_for("for the other")
        stolen.wait_for("for the other")

    def test_needs_a_session_that_is_good_for_this_chat(self, live, chat, visitor):
        expired = chat.visitor(now=timezone.now() - LIFETIME - timedelta(seconds=1))
        elsewhere = Chat.create(live).visitor()
        tokens = ["", "rubbish", visitor.token[:-2] + "xx", expired.token, elsewhere.token]

        answers = [visitor.ask(Authorization=f"Bearer {token}") for token in tokens]

        assert {answer.status_code for answer in answers} == {401}
        assert {answer.json()["code"] for answer in answers} == {"session_invalid"}
        assert {answer.headers["Access-Control-Allow-Origin"] for answer in answers} == {SHOP}

    @pytest.mark.parametrize(
        "origin",
        [
            "",
            "null",
            "http://shop.example",
            "https://shop.example.evil",
            "https://a.shop.example",
            "https://shop.example.",
        ],
    )
    def test_needs_a_page_that_is_allowed(self, visitor, origin):
        answer = visitor.ask(Origin=origin)

        assert (answer.status_code, answer.json()["code"]) == (403, "origin_not_allowed")
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert answer.headers["Vary"] == "Origin"

    def test_answers_a_preflight_and_refuses_what_it_does_not_know(self, chat):
        preflight = requests.options(chat.url, headers={"Origin": SHOP}, timeout=60)
        unknown = requests.get(chat.url.replace("web_", "web_x"), headers={"Origin": SHOP}, timeout=60)
        written = requests.post(chat.url, headers={"Origin": SHOP}, timeout=60)

        assert preflight.status_code == 204
        assert preflight.headers["Access-Control-Allow-Origin"] == SHOP
        assert "last-event-id" in preflight.headers["Access-Control-Allow-Headers"]
        assert (unknown.status_code, written.status_code) == (404, 405)


class TestLimits:
    def test_holds_five_for_a_visitor_and_some_for_an_address(self, chat):
        visitor = chat.visitor()
        held = [visitor.connect(X_Forwarded_For="203.0.113.1") for _ in range(5)]
        sixth = visitor.ask(X_Forwarded_For="203.0.113.2")
        held += [chat.visitor().connect(X_Forwarded_For="203.0.113.1") for _ in range(3)]
        ninth = chat.visitor().ask(X_Forwarded_For="203.0.113.1")

        assert (sixth.status_code, ninth.status_code) == (429, 429)
        assert sixth.json()["code"] == "too_many_streams"
        assert int(sixth.headers["Retry-After"]) > 0
        assert sixth.headers["Access-Control-Allow-Origin"] == SHOP

        for reader in held:
            reader.close()
        wait_until(lambda: visitor.ask(X_Forwarded_For="203.0.113.1").status_code == 200)

    def test_takes_the_addresses_of_one_household_for_one(self, chat):
        held = [chat.visitor().connect(X_Forwarded_For=f"2001:db8:1:2::{n}") for n in range(8)]

        assert chat.visitor().ask(X_Forwarded_For="2001:db8:1:2::9").status_code == 429
        assert chat.visitor().ask(X_Forwarded_For="2001:db8:1:3::9").status_code == 200
        for reader in held:
            reader.close()

    def test_takes_many_at_once_and_no_more_than_it_may(self, live, chat):
        live.restart("live", TRUSTED_PROXIES="1", LIVE_MAX_STREAMS=str(MOST))
        visitors = [chat.visitor() for _ in range(MOST)]
        with ThreadPoolExecutor(MOST) as pool:
            readers = list(
                pool.map(lambda n: visitors[n].connect(X_Forwarded_For=f"198.51.100.{n}"), range(MOST))
            )

        refused = visitors[0].ask(X_Forwarded_For="198.51.100.200")
        for visitor in visitors:
            visitor.say(visitor.visitor_id)

        assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
        assert int(refused.headers["Retry-After"]) > 0
        for reader, visitor in zip(readers, visitors, strict=True):
            reader.wait_for(visitor.visitor_id)
            reader.close()

    def test_a_slow_reader_gets_all_in_the_end_and_holds_up_nobody(self, chat):
        slow, quick = chat.visitor(), chat.visitor()
        raw = socket.create_connection(("127.0.0.1", environment.LIVE_PORT))
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        raw.sendall(
            f"GET {slow.chat.url.split(str(environment.LIVE_PORT))[1]} HTTP/1.1\r\nHost: live\r\n"
            f"Origin: {SHOP}\r\nAuthorization: Bearer {slow.token}\r\n\r\n".encode()
        )
        # From here on the stream tells all that is new.
        _read_until(raw, b"retry: ")
        reader = quick.connect()
        texts = [f"{n} " + "x" * 19_000 for n in range(300)]

        for first in range(0, 300, 50):
            slow.say(*texts[first : first + 50])
        quick.say("quick")

        reader.wait_for("quick")
        heard = _read_until(raw, b'"text": "299 ')
        places = [heard.find(f'"text": "{n} '.encode()) for n in range(300)]
        assert places == sorted(places)
        assert -1 not in places
        assert heard.count(b"event: message") == 300
        raw.close()


def _read_until(raw: socket.socket, last: bytes) -> bytes:
    heard = b""
    raw.settimeout(30)
    while last not in heard[-40_000:]:
        part = raw.recv(1 << 16)
        assert part, "the stream ended"
        heard += part
    return heard


@pytest.mark.long
class TestWhenSomethingDies:
    def test_nothing_is_lost_or_doubled_over_kills_of_live_and_redis(self, live, visitor):
        said = [f"said {n}" for n in range(40)]
        heard: list[str] = []
        reader = visitor.connect()
        for n, text in enumerate(said):
            visitor.say(text)
            if n in {10, 30}:
                live.kill("live")
                live.start("live", TRUSTED_PROXIES="1")
            if n == 20:
                live.servers.valkey.kill()
            if n == 25:
                live.servers.valkey.start()
            if reader.has_ended or n in {5, 35}:
                reader.close()
                heard += reader.texts
                reader = visitor.connect(cursor=reader.cursor)

        wait_until(lambda: heard + reader.texts == said, what=f"{len(heard)} and {reader.texts}")

    def test_is_told_by_polling_while_redis_is_away(self, live, visitor):
        reader = visitor.connect()
        visitor.say("with")
        reader.wait_for("with")
        live.servers.valkey.kill()
        try:
            visitor.say("without", rings=False)
            reader.wait_for("with", "without")
            newcomer = visitor.chat.visitor(has_written=False)
            other = newcomer.connect()
            newcomer.write()
            newcomer.say("Welcome", rings=False)
            other.wait_for("Welcome")
        finally:
            live.servers.valkey.start()

    def test_keeps_streams_over_a_kill_of_postgres(self, live, visitor):
        reader = visitor.connect()
        visitor.say("before")
        reader.wait_for("before")
        live.servers.postgres.kill()
        try:
            # It is to be read while there is nothing to read from.
            visitor.ring()
            refused = visitor.ask()
        finally:
            live.servers.postgres.start()

        visitor.say("after")

        reader.wait_for("before", "after")
        assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
        assert not reader.has_ended

    def test_notices_a_redis_that_is_frozen(self, live, visitor):
        reader = visitor.connect()
        visitor.say("before")
        reader.wait_for("before")
        process = live.servers.valkey.process
        process.send_signal(signal.SIGSTOP)
        try:
            visitor.say("frozen", rings=False)
            reader.wait_for("before", "frozen")
        finally:
            process.send_signal(signal.SIGCONT)

    def test_sees_what_was_not_rung_for(self, visitor):
        reader = visitor.connect()
        wait_until(lambda: reader.told("state"))

        visitor.say("nobody rang", rings=False)

        reader.wait_for("nobody rang")

    def test_ends_its_streams_at_once_when_it_is_to_stop(self, live, visitor):
        reader: Reader = visitor.connect()
        visitor.say("before")
        reader.wait_for("before")

        live.signal("live", signal.SIGTERM)
        reader.wait_for_end()

        assert live.wait_for_end("live", seconds=10) == 0

    def test_ends_a_stream_when_its_time_is_up(self, live, visitor):
        live.restart("live", LIVE_STREAM_LIFETIME="500")

        reader = visitor.connect()
        reader.wait_for_end()

        assert reader.told("state")
