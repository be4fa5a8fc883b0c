"""What arrives while Postgres, Redis or both are away; what cannot be read; what is looked at again."""

import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
import requests

from config.lib import roles
from simulator import identifiers, webhooks
from simulator.webhooks import Customer
from tests import environment
from tests.read_only import read_only
from tests.rig import PROJECT, wait_until

pytestmark = pytest.mark.long


def manage(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *words], cwd=PROJECT, check=True, capture_output=True, text=True
    )
    return done.stdout


class TestOutage:
    def test_what_arrives_while_postgres_is_away_is_answered_once_it_is_back_in_order(self, rig):
        business = rig.business()
        business.write("before")
        business.wait_until_quiet()
        customers = [f"1202555{n:04}" for n in range(5)]

        rig.servers.postgres.kill()
        try:
            statuses = [
                business.write(f"{wa_id} text {n}", wa_id=wa_id) for n in range(4) for wa_id in customers
            ]
        finally:
            rig.servers.postgres.start()
        statuses += [business.write(f"{wa_id} text 4", wa_id=wa_id) for wa_id in customers]
        wait_until(lambda: business.count("inbound_messages") == 26, what="all stored")
        business.wait_until_quiet()

        assert set(statuses) == {200}
        for wa_id in customers:
            answered = " ".join(business.replies(wa_id))
            places = [answered.find(f"{wa_id} text {n}") for n in range(5)]
            assert -1 not in places
            assert places == sorted(places)
        business.check_ledger()

    def test_with_both_stores_away_meta_is_told_to_keep_it(self, rig):
        business = rig.business()
        rig.servers.postgres.kill()
        rig.servers.valkey.kill()
        try:
            status = business.write("kept by Meta")
        finally:
            rig.servers.valkey.start()
            rig.servers.postgres.start()

        assert status == 503
        wait_until(lambda: business.write("kept by us") == 200, what="the webhook takes messages again")
        wait_until(business.replies, what="the reply")
        assert "kept by us" in business.replies()[0]

    def test_under_load_every_200_is_answered_though_postgres_and_then_redis_go_away(self, rig):
        business = rig.business()
        accepted: list[tuple[str, str]] = []
        refused = []
        stop = threading.Event()

        def talk(wa_id: str) -> None:
            n = 0
            while not stop.is_set():
                text = f"<{wa_id}-{n}>"
                status = business.write(text, wa_id=wa_id)
                (accepted if status == 200 else refused).append((wa_id, text))
                assert status in {200, 503}
                n += 1
                time.sleep(0.3)

        with ThreadPoolExecutor(8) as pool:
            talks = [pool.submit(talk, f"1202556{n:04}") for n in range(8)]
            time.sleep(1)
            rig.servers.postgres.kill()
            time.sleep(3)
            rig.servers.postgres.start()
            time.sleep(2)
            rig.servers.valkey.kill()
            time.sleep(3)
            rig.servers.valkey.start()
            time.sleep(1)
            stop.set()
            for finished in talks:
                finished.result()
        wait_until(lambda: business.count("inbound_messages") >= len(accepted), what="all stored")
        business.wait_until_quiet()

        assert accepted
        for wa_id in {wa_id for wa_id, _ in accepted}:
            answered = " ".join(business.replies(wa_id))
            places = [answered.find(text) for who, text in accepted if who == wa_id]
            assert -1 not in places
            assert places == sorted(places)
        business.check_ledger()


class TestWorkersAway:
    def test_leaves_one_ring_a_number_and_every_number_is_answered_once_they_are_back(self, rig):
        client = redis.Redis.from_url(rig.servers.redis_url)
        queues = [queue for queue in roles.queues() if queue.startswith("messages.")]
        rig.kill("worker")
        businesses = [rig.business() for _ in range(20)]
        for business in businesses:
            business.write("Hello")

        def rings() -> int:
            return sum(client.llen(queue) for queue in queues)

        wait_until(lambda: rings() >= len(businesses), what="a ring for each number")
        time.sleep(2)  # some sweeps, each of which rings for all of them
        left = rings()
        rig.start("worker")

        assert left == len(businesses)
        for business in businesses:
            business.wait_until_quiet()
            assert len(business.replies()) == 1


class TestReadOnlyPostgres:
    @pytest.fixture(autouse=True)
    def _closed_breakers(self, rig):
        """Restart processes that would leave Redis alone for some seconds after the outages above."""
        for name in ("webhook", "worker", "sweeper"):
            rig.kill(name)
        rig.start("webhook", "worker", "sweeper")

    def test_is_treated_as_one_that_is_away_and_costs_nothing(self, rig):
        rig.start("web")
        business = rig.business()
        business.write("before")
        business.wait_until_quiet()
        api = {"headers": {"Authorization": f"Bearer {rig.key(business.user_id)}"}, "timeout": 60}
        agents = f"{environment.API_URL}/users/{business.user_id}/prompts"
        prompt = {"name": "Test", "instructions": "Be kind."}
        ready = f"{environment.API_URL}/health/ready"
        customers = [f"1202556{n:04}" for n in range(3)]

        with read_only(rig.servers):
            statuses = [business.write(f"{wa_id} {n}", wa_id=wa_id) for n in range(3) for wa_id in customers]
            waiting = redis.Redis.from_url(rig.servers.redis_url).llen("queue:messages")
            refused = requests.post(agents, json=prompt, **api)
            unready = requests.get(ready, timeout=60)

        assert statuses == [200] * 9
        # Statuses of the first reply may wait as well.
        assert waiting >= 9
        assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
        assert (unready.status_code, unready.json()["parts"]["postgres"]) == (503, "away")
        wait_until(lambda: business.count("inbound_messages") == 10, what="all stored")
        business.wait_until_quiet()
        for wa_id in customers:
            answered = " ".join(business.replies(wa_id))
            places = [answered.find(f"{wa_id} {n}") for n in range(3)]
            assert -1 not in places
            assert places == sorted(places)
        assert requests.get(ready, timeout=60).json()["parts"]["postgres"] == "ok"
        assert requests.post(agents, json=prompt, **api).status_code == 201
        business.check_ledger()

    def test_that_turns_up_while_a_turn_is_answered_delays_it_only(self, rig):
        rig.simulator.behave(openai={"script": [{"match": "Hello", "delay": 2}]})
        business = rig.business()
        business.write("Hello")
        wait_until(business.asked, what="the model is asked")

        with read_only(rig.servers):
            time.sleep(3)

        business.wait_until_quiet()
        assert len(business.replies()) == 1
        assert business.balance() == 999
        business.check_ledger()


class TestMessageThatCannotBeStored:
    def test_costs_neither_its_neighbours_nor_others_an_answer(self, rig):
        """A trigger refuses it, posted alone as well as from the spool."""
        rig.execute(
            "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '23505'; END $$"
        )
        rig.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON inbound_messages FOR EACH ROW"
            " WHEN (left(NEW.text, 3) = 'bad') EXECUTE FUNCTION refuse()"
        )
        business = rig.business()
        try:
            directly = business.write("one", "bad one", "two", wa_id="12025557001")
            rig.servers.postgres.kill()
            try:
                spooled = [
                    business.write("three", "bad three", "four", wa_id="12025557002"),
                    business.write("five", wa_id="12025557003"),
                ]
            finally:
                rig.servers.postgres.start()
            wait_until(lambda: business.count("inbound_messages") == 5, what="the neighbours are stored")
            business.wait_until_quiet()
        finally:
            rig.execute("DROP FUNCTION refuse() CASCADE")

        assert [directly, *spooled] == [200] * 3
        for number, texts in {"7001": ["one", "two"], "7002": ["three", "four"], "7003": ["five"]}.items():
            answered = " ".join(business.replies(f"1202555{number}"))
            assert all(text in answered for text in texts)
        letters = rig.rows("SELECT id FROM dead_letters WHERE phone_number_id = %s", business.phone_number_id)
        for letter in letters:
            assert "Dead letters read: 1" in manage("replay", "--dead-letter", str(letter["id"]))
        business.wait_until_quiet()
        assert len(letters) == 2
        assert business.count("inbound_messages", "status = 'done'") == 7


class TestSlowClients:
    def test_more_than_there_are_threads_hold_up_nobody(self, rig):
        business = rig.business()
        slow = [socket.create_connection(("127.0.0.1", environment.WEBHOOK_PORT)) for _ in range(60)]
        for connection in slow:
            connection.sendall(
                b"POST /webhook/meta HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\na"
            )

        statuses = [business.write(f"Hello {n}") for n in range(5)]
        still_open = [connection for connection in slow if _is_open(connection)]

        assert statuses == [200] * 5
        assert len(still_open) == 60
        for connection in slow:
            connection.close()

    def test_are_told_that_it_took_too_long(self, rig):
        with socket.create_connection(("127.0.0.1", environment.WEBHOOK_PORT), timeout=60) as connection:
            connection.sendall(
                b"POST /webhook/meta HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\na"
            )

            assert connection.recv(100).startswith(b"HTTP/1.1 408")


def _is_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True


class TestBatch:
    def test_of_messages_and_statuses_ten_times_at_once_is_stored_and_applied_once(self, rig):
        first, second = rig.business(), rig.business()
        first.write("Hello")
        first.wait_until_quiet()
        [send] = first.sends()
        customer = Customer()
        changes = []
        for business in (first, second):
            for change in range(2):
                messages = [
                    business.message("text", {"body": f"{change}-{n}"}, wa_id=f"12025557{n:03}")
                    for n in range(5)
                ]
                changes.append(
                    webhooks.whatsapp_messages(messages, customer=customer, number=business.number)
                )
        statuses = [
            webhooks.whatsapp_status(
                "played" if n == 0 else "delivered",
                message_id=send["provider_ids"][0] if n == 0 else identifiers.wamid("1"),
                customer=customer,
            )
            for n in range(20)
        ]
        changes.append(webhooks.whatsapp_statuses(statuses, customer=customer, number=first.number))
        body = webhooks.encode(
            {"object": "whatsapp_business_account", "entry": [change["entry"][0] for change in changes]}
        )
        before = first.count("channel_events")

        assert set(first.post_all([body] * 10, parallel=10)) == {200}
        first.wait_until_quiet()
        second.wait_until_quiet()

        assert first.count("inbound_messages") == 1 + 10
        assert second.count("inbound_messages") == 10
        assert first.count("channel_events") >= before + 20
        assert len(second.replies()) == 5
        wait_until(first.messages, what="messages")


class TestReplay:
    def test_a_dead_letter_is_kept_once_and_costs_its_neighbours_nothing(self, rig):
        business = rig.business()
        good, bad = business.message("text", {"body": "good"}), business.message("text", {"body": None})

        assert [business.tell(good, bad), business.tell(good, bad)] == [200, 200]
        business.wait_until_quiet()

        assert len(business.replies()) == 1
        letters = rig.rows("SELECT id, reason FROM dead_letters ORDER BY id DESC LIMIT 1")
        assert letters[0]["reason"] == "messages: Text.body string_type"
        assert "Dead letters read: 0" in manage("replay", "--dead-letter", str(letters[0]["id"]))

    def test_a_failed_message_is_answered_when_replayed_and_keeps_its_place(self, rig):
        rig.simulator.behave(openai={"script": [{"status": 400}]})
        business = rig.business(fallback="")
        business.write("Hello")
        wait_until(lambda: business.count("inbound_messages", "status = 'failed'"), what="the failure")

        said = manage("replay", "--number", business.phone_number_id)
        again = manage("replay", "--number", business.phone_number_id)
        business.wait_until_quiet()

        assert "Messages that wait again: 1" in said
        assert "Messages that wait again: 0" in again
        assert len(business.replies()) == 1
        assert next((m["sequence_no"], m["status"]) for m in business.messages()) == (1, "delivered")
        assert business.balance() == 999

    def test_what_was_written_before_a_number_was_registered_is_kept_and_never_answered(self, rig):
        stranger = rig.business()
        unknown = str(time.time_ns())[:15]
        body = webhooks.encode(
            webhooks.whatsapp_text(
                ["to the owner"], customer=Customer(), number=webhooks.Number(phone_number_id=unknown)
            )
        )
        assert stranger.post(body) == 200

        business = rig.business(number=unknown)
        business.write("to us")
        business.wait_until_quiet()

        assert len(business.replies()) == 1
        assert "to the owner" not in business.replies()[0]
        assert business.count("inbound_messages", "status = 'ignored'") == 1
