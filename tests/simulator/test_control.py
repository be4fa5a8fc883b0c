from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from simulator import webhooks
from tests.rig import wait_until
from tests.simulator.conftest import SECRET


class TestDeliver:
    def test_posts_one_signed_webhook_for_a_burst(self, simulator):
        delivered = simulator.deliver(
            **{"from": "+1 202 555 0143"},
            texts=["Hola", "\u00bfest\u00e1n?"],
            name="Luc\u00eda",
            phone_number_id="7",
        )

        ((headers, body),) = simulator.receiver.received
        value = simulator.receiver.bodies()[0]["entry"][0]["changes"][0]["value"]
        assert delivered["status"] == 200
        assert delivered["message_ids"] == [message["id"] for message in value["messages"]]
        assert [message["text"]["body"] for message in value["messages"]] == ["Hola", "\u00bfest\u00e1n?"]
        assert value["metadata"]["phone_number_id"] == "7"
        assert value["contacts"][0]["wa_id"] == "12025550143"
        assert headers["X-Hub-Signature-256"] == webhooks.sign(body, SECRET)
        assert b"\\u00bf" in body

    def test_posts_instagram_messages(self, simulator):
        delivered = simulator.deliver(channel="instagram", texts=["uno", "dos"], **{"from": "8123"})

        events = simulator.receiver.bodies()[0]["entry"][0]["messaging"]
        assert [event["message"]["text"] for event in events] == ["uno", "dos"]
        assert [event["message"]["mid"] for event in events] == delivered["message_ids"]
        assert events[0]["recipient"] == {"id": "17841400000000001"}

    def test_repeats_an_id_and_quotes_when_asked(self, simulator):
        simulator.deliver(
            text="Hi", message_ids=["wamid.same"], reply_to="wamid.earlier", timestamp=1795380000
        )

        message = simulator.receiver.bodies()[0]["entry"][0]["changes"][0]["value"]["messages"][0]
        assert message["id"] == "wamid.same"
        assert message["context"]["id"] == "wamid.earlier"
        assert message["timestamp"] == "1795380000"

    def test_sends_a_picture(self, simulator):
        simulator.deliver(media={"type": "image", "id": "img1", "caption": "this"})

        message = simulator.receiver.bodies()[0]["entry"][0]["changes"][0]["value"]["messages"][0]
        assert message["type"] == "image"
        assert message["image"]["mime_type"] == "image/png"
        assert message["image"]["caption"] == "this"

    def test_tells_the_webhooks_answer(self, simulator):
        simulator.receiver.answers = [403]

        assert simulator.deliver(texts=["Hi"])["status"] == 403

    def test_collects_what_comes_together_in_one_webhook(self, simulator):
        simulator.behave(batch_seconds=3)

        with ThreadPoolExecutor() as pool:
            outcomes = list(pool.map(lambda text: simulator.deliver(text=text), ("Hi", "there")))

        [body] = simulator.receiver.bodies()
        said = [entry["changes"][0]["value"]["messages"][0]["text"]["body"] for entry in body["entry"]]
        assert sorted(said) == ["Hi", "there"]
        assert [outcome["status"] for outcome in outcomes] == [200, 200]

    def test_brings_webhooks_in_any_order(self, simulator):
        # The first of this seed's numbers is the largest by far, the third the smallest.
        simulator.behave(shuffle_seconds=5, seed=251)

        simulator.send_text("Hi")
        wait_until(lambda: len(simulator.receiver.bodies()) == 3)

        values = [body["entry"][0]["changes"][0]["value"] for body in simulator.receiver.bodies()]
        assert [value["statuses"][0]["status"] for value in values] == ["read", "delivered", "sent"]

    @pytest.mark.parametrize(
        "order",
        [
            {},
            {"texts": "Hi"},
            {"texts": ["Hi"], "channel": "fax"},
            {"texts": ["Hi"], "form": "1"},
            {"texts": [1]},
        ],
    )
    def test_refuses_nonsense(self, simulator, order):
        answer = requests.post(f"{simulator.url}/_simulator/deliver", json=order, timeout=60)

        assert answer.status_code == 400
        assert answer.json()["error"]


class TestRequests:
    def test_tell_what_was_asked_without_secrets(self, simulator, client):
        response = client.responses.create(
            model="m", input="Luc\u00eda", extra_headers={"X-Correlation-Id": "c-1"}
        )

        (entry,) = simulator.journal(api="openai", contains="Luc\u00eda")

        assert entry["response_id"] == response.id
        assert entry["body"]["input"] == "Luc\u00eda"
        assert entry["headers"]["x-correlation-id"] == "c-1"
        assert "sk-test" not in str(entry)
        assert entry["t"] <= entry["t_done"]

    def test_can_be_counted_followed_and_forgotten(self, simulator):
        url = f"{simulator.url}/_simulator/requests"
        before = requests.get(f"{url}/count", timeout=60).json()["last_seq"]
        simulator.behave(statuses=False)
        wamid = simulator.send_text("one").json()["messages"][0]["id"]
        simulator.send_text("two")

        count = requests.get(f"{url}/count", params={"api": "graph"}, timeout=60).json()["count"]
        followed = simulator.journal(since_seq=before + 1)
        found = simulator.journal(contains=wamid)
        cleared = requests.delete(url, timeout=60).json()

        assert count == 2
        assert [entry["body"]["text"]["body"] for entry in followed] == ["two"]
        assert [entry["body"]["text"]["body"] for entry in found] == ["one"]
        assert cleared == {"cleared": 2}
        assert simulator.journal() == []


class TestControl:
    def test_explains_itself(self, simulator):
        answer = requests.get(simulator.url, timeout=60)

        assert "This is the simulator" in answer.text
        assert answer.headers["content-type"].startswith("text/plain")

    def test_refuses_behaviour_that_makes_no_sense(self, simulator):
        url = f"{simulator.url}/_simulator/behaviour"

        answer = requests.post(url, json={"openai": {"latency": "slow"}}, timeout=60)

        assert answer.status_code == 400
        assert "openai.latency" in answer.json()["error"]
        assert requests.get(url, timeout=60).json()["openai"]["latency"] == 0

    def test_knows_nothing_else(self, simulator):
        assert requests.get(f"{simulator.url}/favicon.ico", timeout=60).status_code == 404
