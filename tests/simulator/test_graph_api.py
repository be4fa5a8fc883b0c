import base64
import hashlib

import pytest
import requests

from simulator import webhooks
from simulator.exchange import Json
from tests.rig import wait_until
from tests.simulator.conftest import SECRET

TOKEN = {"Authorization": "Bearer token"}


def statuses(simulator) -> list[Json]:
    values = [body["entry"][0]["changes"][0]["value"] for body in simulator.receiver.bodies()]
    return [status for value in values for status in value.get("statuses", ())]


class TestWhatsAppSend:
    def test_is_accepted_in_metas_shape(self, simulator):
        answer = simulator.send_text()

        sent = answer.json()
        assert answer.status_code == 200
        assert sent["messaging_product"] == "whatsapp"
        assert sent["contacts"] == [{"input": "+12025550143", "wa_id": "12025550143"}]
        assert sent["messages"][0]["id"].startswith("wamid.")

    def test_reaches_a_customer_known_by_bsuid_only(self, simulator):
        body = {"type": "text", "text": {"body": "Hi"}, "recipient": "US.1349"}

        sent = simulator.send(messaging_product="whatsapp", **body).json()

        assert sent["contacts"] == [{"input": "US.1349", "user_id": "US.1349"}]
        wait_until(lambda: statuses(simulator))
        assert statuses(simulator)[0]["recipient_user_id"] == "US.1349"
        assert "recipient_id" not in statuses(simulator)[0]

    def test_marks_as_read_and_types(self, simulator):
        answer = simulator.send(
            messaging_product="whatsapp",
            status="read",
            message_id="wamid.x",
            typing_indicator={"type": "text"},
        )

        assert answer.json() == {"success": True}

    def test_takes_buttons(self, simulator):
        buttons = [{"type": "reply", "reply": {"id": "1", "title": "Yes"}}]
        interactive: Json = {"type": "button", "body": {"text": "Sure?"}, "action": {"buttons": buttons}}

        good = simulator.send(
            messaging_product="whatsapp", to="+12025550143", type="interactive", interactive=interactive
        )
        interactive["action"]["buttons"] = buttons * 4
        bad = simulator.send(
            messaging_product="whatsapp", to="+12025550143", type="interactive", interactive=interactive
        )

        assert (good.status_code, bad.status_code) == (200, 400)

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ({"messaging_product": "whatsapp", "type": "text", "text": {"body": "x"}}, 100),
            ({"to": "+12025550143", "type": "text", "text": {"body": "x"}}, 100),
            ({"messaging_product": "whatsapp", "to": "you", "type": "text", "text": {"body": "x"}}, 131009),
            ({"messaging_product": "whatsapp", "to": "+12025550143", "type": "text"}, 131008),
            ({"messaging_product": "whatsapp", "to": "+12025550143", "type": "text", "text": {}}, 131008),
            ({"messaging_product": "whatsapp", "to": "+12025550143", "type": "txt"}, 100),
            ({"messaging_product": "whatsapp", "to": "+12025550143", "type": []}, 100),
            ({"recipient": {"id": "8123"}, "sender_action": {}}, 100),
            (
                {
                    "messaging_product": "whatsapp",
                    "to": "+12025550143",
                    "type": "text",
                    "text": {"body": "x" * 4097},
                },
                100,
            ),
            ({"messaging_product": "whatsapp", "status": "read"}, 131008),
        ],
    )
    def test_is_refused_in_metas_shape(self, simulator, body, code):
        answer = simulator.send(**body)

        error = answer.json()["error"]
        assert answer.status_code == 400
        assert error["code"] == code
        assert error["type"] == "OAuthException"
        assert error["message"].startswith(f"(#{code})")
        assert error["fbtrace_id"]

    def test_needs_a_token(self, simulator):
        url = f"{simulator.url}/v22.0/1/messages"

        answer = requests.post(url, json={"messaging_product": "whatsapp"}, timeout=60)

        assert (answer.status_code, answer.json()["error"]["code"]) == (401, 190)


class TestWhatsAppStatuses:
    def test_follow_a_send_signed_and_with_its_callback_data(self, simulator):
        wamid = simulator.send_text(biz_opaque_callback_data="outbox:1").json()["messages"][0]["id"]

        wait_until(lambda: len(statuses(simulator)) == 3)
        found = statuses(simulator)
        assert [status["status"] for status in found] == ["sent", "delivered", "read"]
        assert {status["id"] for status in found} == {wamid}
        assert {status["biz_opaque_callback_data"] for status in found} == {"outbox:1"}
        assert {status["recipient_id"] for status in found} == {"12025550143"}
        assert "pricing" in found[0]
        assert "pricing" not in found[2]
        for headers, body in simulator.receiver.received:
            assert headers["X-Hub-Signature-256"] == webhooks.sign(body, SECRET)

    def test_are_repeated_until_they_are_answered_200(self, simulator):
        simulator.behave(status_delays=[0, 30, 30])
        simulator.receiver.answers = [503]

        simulator.send_text()

        wait_until(lambda: len(simulator.receiver.received) == 2)
        assert simulator.receiver.received[0][1] == simulator.receiver.received[1][1]
        assert [entry["status"] for entry in simulator.journal(api="webhook")] == [503, 200]

    def test_can_be_switched_off(self, simulator):
        simulator.behave(statuses=False)

        simulator.send_text()

        simulator.deliver(texts=["last"])
        assert statuses(simulator) == []

    def test_tell_of_a_late_failure(self, simulator):
        simulator.behave(graph={"script": [{"fail_status": 131047}]})

        assert simulator.send_text().status_code == 200

        wait_until(lambda: statuses(simulator))
        (status,) = statuses(simulator)
        assert (status["status"], status["errors"][0]["code"]) == ("failed", 131047)


class TestGraphFaults:
    @pytest.mark.parametrize(
        ("step", "http_status", "code", "subcode"),
        [
            ({"code": 131056}, 400, 131056, None),
            ({"status": 400, "code": 131026}, 400, 131026, None),
            ({"code": "10:2534022"}, 403, 10, 2534022),
            ({"status": 503}, 503, 2, None),
            ({"code": 190}, 401, 190, None),
        ],
    )
    def test_errors_carry_their_code(self, simulator, step, http_status, code, subcode):
        simulator.behave(graph={"script": [step]})

        answer = simulator.send_text()

        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error.get("error_subcode")) == (http_status, code, subcode)

    def test_a_read_receipt_does_not_use_up_the_script(self, simulator):
        simulator.behave(graph={"script": [{"code": 131056}]})

        read = simulator.send(messaging_product="whatsapp", status="read", message_id="wamid.x")

        assert (read.status_code, simulator.send_text().status_code) == (200, 400)

    def test_a_lost_answer_is_followed_by_statuses(self, simulator):
        simulator.behave(graph={"drop_after_accept": 1})

        with pytest.raises(requests.ConnectionError):
            simulator.send_text(biz_opaque_callback_data="outbox:2")

        wait_until(lambda: statuses(simulator))
        assert statuses(simulator)[0]["biz_opaque_callback_data"] == "outbox:2"
        (entry,) = simulator.journal(api="graph")
        assert (entry["note"], entry["status"], len(entry["provider_ids"])) == ("dropped", None, 1)


class TestInstagramSend:
    def test_is_accepted_and_echoed(self, simulator):
        sent = simulator.send("me", recipient={"id": "8123"}, message={"text": "\u00a1Claro!"}).json()

        wait_until(lambda: len(simulator.receiver.received) == 2)
        echo, read = (body["entry"][0]["messaging"][0] for body in simulator.receiver.bodies())
        assert sent["recipient_id"] == "8123"
        expected = {"mid": sent["message_id"], "text": "\u00a1Claro!", "is_echo": True}
        assert echo["message"] == expected
        assert echo["sender"] == {"id": "17841400000000001"}
        assert read["read"] == {"mid": sent["message_id"]}
        assert read["sender"] == {"id": "8123"}

    def test_types(self, simulator):
        answer = simulator.send("me", recipient={"id": "8123"}, sender_action="typing_on")

        assert answer.json() == {"recipient_id": "8123"}

    def test_counts_bytes_not_characters(self, simulator):
        fits = simulator.send("me", recipient={"id": "8123"}, message={"text": "\u0434" * 500})
        too_long = simulator.send("me", recipient={"id": "8123"}, message={"text": "\u0434" * 501})

        assert (fits.status_code, too_long.status_code) == (200, 400)
        assert too_long.json()["error"]["code"] == 100


class TestObjects:
    def test_a_number_describes_itself(self, simulator):
        url = f"{simulator.url}/v25.0/109876543210987"

        found = requests.get(url, headers=TOKEN, timeout=60).json()

        assert found["display_phone_number"] == "+12025550100"
        assert found["id"] == "109876543210987"

    def test_media_is_fetched_in_two_steps(self, simulator):
        order = {"id": "m1", "mime_type": "audio/ogg", "data": base64.b64encode(b"OggS\0").decode()}
        requests.post(f"{simulator.url}/_simulator/media", json=order, timeout=60).raise_for_status()

        found = requests.get(f"{simulator.url}/v22.0/m1", headers=TOKEN, timeout=60).json()
        refused = requests.get(found["url"], timeout=60)
        file = requests.get(found["url"], headers=TOKEN, timeout=60)

        assert refused.status_code == 401
        assert (file.content, file.headers["content-type"]) == (b"OggS\0", "audio/ogg")
        assert found["sha256"] == hashlib.sha256(b"OggS\0").hexdigest()
        assert found["file_size"] == 5

    def test_media_on_instagram_has_a_url_that_needs_no_token(self, simulator):
        file = requests.get(f"{simulator.url}/ig_messaging_cdn/?asset_id=img-7", timeout=60)
        missing = requests.get(f"{simulator.url}/ig_messaging_cdn/?asset_id=nothing", timeout=60)

        assert (file.status_code, file.headers["content-type"]) == (200, "image/png")
        assert missing.status_code == 404

    def test_any_picture_exists(self, simulator):
        found = requests.get(f"{simulator.url}/v22.0/img-7", headers=TOKEN, timeout=60).json()

        file = requests.get(found["url"], headers=TOKEN, timeout=60)

        assert file.content.startswith(b"\x89PNG")

    def test_nothing_else_does(self, simulator):
        missing = requests.get(f"{simulator.url}/v22.0/nothing", headers=TOKEN, timeout=60)
        nowhere = requests.post(f"{simulator.url}/v22.0/1/letters", headers=TOKEN, timeout=60)

        assert (missing.status_code, missing.json()["error"]["error_subcode"]) == (400, 33)
        assert (nowhere.status_code, nowhere.json()["error"]["code"]) == (404, 2500)
