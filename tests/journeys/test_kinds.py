"""Every kind of message, from every customer: what the model sees of it, and what goes back."""

import base64

import pytest
import requests

from simulator import identifiers, webhooks
from tests.rig import wait_until

pytestmark = pytest.mark.long

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


def upload(rig, content: bytes, mime_type: str) -> str:
    data = {"mime_type": mime_type, "data": base64.b64encode(content).decode()}
    return requests.post(f"{rig.simulator.url}/_simulator/media", json=data, timeout=60).json()["id"]


class TestWhatTheModelSees:
    def test_a_picture_as_a_picture_with_its_caption(self, rig):
        business = rig.business()
        media_id = upload(rig, PIXEL, "image/png")
        image = {"id": media_id, "mime_type": "image/png", "sha256": "x", "caption": "Is this fresh?"}

        business.tell(business.message("image", image))
        business.wait_until_quiet()

        [item] = business.asked()[0]["input"]
        text, picture = item["content"]
        assert text == {"type": "input_text", "text": "Is this fresh?"}
        assert picture["image_url"] == f"data:image/png;base64,{base64.b64encode(PIXEL).decode()}"
        assert len(business.replies()) == 1

    def test_a_picture_that_is_gone_as_words_and_the_turn_goes_on(self, rig):
        business = rig.business()

        business.tell(business.message("image", {"id": "404404", "mime_type": "image/png", "sha256": "x"}))
        business.wait_until_quiet()

        assert "could not be opened" in business.asked()[0]["input"][0]["content"]
        assert len(business.replies()) == 1

    def test_a_voice_note_as_its_words(self, rig):
        business = rig.business()
        media_id = upload(rig, b"OggS" + bytes(60), "audio/ogg")
        audio = {"id": media_id, "mime_type": "audio/ogg; codecs=opus", "sha256": "x", "voice": True}

        business.tell(business.message("audio", audio))
        business.wait_until_quiet()

        assert "[Voice message, transcribed]" in business.asked()[0]["input"][0]["content"]

    def test_a_place_a_choice_and_a_document_in_words(self, rig):
        business = rig.business()
        place = {"latitude": 52.5, "longitude": 13.4, "name": "Café", "address": "Main St 1"}
        choice = {"type": "button_reply", "button_reply": {"id": "yes", "title": "Yes, please"}}
        document = {"id": "1", "mime_type": "application/pdf", "sha256": "x", "filename": "order.pdf"}

        business.tell(
            business.message("location", place),
            business.message("interactive", choice),
            business.message("document", document),
        )
        business.wait_until_quiet()

        seen = " / ".join(item["content"] for item in business.asked()[0]["input"])
        assert "Café" in seen
        assert "52.5" in seen
        assert "Yes, please" in seen
        assert "order.pdf" in seen

    def test_what_is_quoted_and_what_was_reacted_to(self, rig):
        business = rig.business()
        business.write("Two loaves")
        business.wait_until_quiet()
        [send] = business.sends()
        ours = send["provider_ids"][0]

        business.tell(business.message("reaction", {"message_id": ours, "emoji": "👍"}))
        wait_until(lambda: [m for m in business.messages() if m["reaction"]], what="the reaction")
        business.tell(business.message("text", {"body": "And this?"}, context={"from": "1", "id": ours}))
        business.wait_until_quiet()

        contents = [item["content"] for item in business.asked()[1]["input"]]
        assert contents[0].startswith("[The customer reacted 👍 to:")
        assert contents[1].startswith("[In reply to: ")
        assert contents[1].endswith("And this?")
        assert len(business.replies()) == 2

    def test_an_edit_before_the_answer_and_nothing_of_what_was_taken_back(self, rig):
        business = rig.business()
        rig.stop("worker")
        rig.stop("sweeper")
        edited, gone = identifiers.wamid("1"), identifiers.wamid("1")
        business.tell(
            business.message("text", {"body": "Five loafs"}, message_id=edited),
            business.message("text", {"body": "a secret"}, message_id=gone),
        )
        edit = {"original_message_id": edited, "message": {"type": "text", "text": {"body": "Five loaves"}}}
        business.tell(
            business.message("edit", edit), business.message("revoke", {"original_message_id": gone})
        )
        wait_until(
            lambda: business.count("channel_events", "applied_at IS NOT NULL") == 2, what="both events"
        )

        rig.start("worker", "sweeper")
        business.wait_until_quiet()

        assert [item["content"] for item in business.asked()[0]["input"]] == ["Five loaves"]


class TestWhoWrites:
    def test_two_people_known_by_username_only_are_answered_by_recipient(self, rig):
        business = rig.business()

        for user_id in ("US.111", "US.222"):
            message = business.message("text", {"body": f"I am {user_id}"}, wa_id=None, user_id=user_id)
            business.tell(message, wa_id=None, user_id=user_id, username="@somebody")
        business.wait_until_quiet()

        assert business.count("customers") == 2
        sent = {send["body"]["recipient"]: send["body"]["text"]["body"] for send in business.sends()}
        assert set(sent) == {"US.111", "US.222"}
        assert all(user_id in text for user_id, text in sent.items())

    def test_somebody_seen_by_both_ids_in_turn_is_one_person_with_one_conversation(self, rig):
        business = rig.business()
        texts = [(None, "US.7"), ("12025550177", "US.7"), ("12025550177", None)]

        for wa_id, user_id in texts:
            message = business.message("text", {"body": "Hi"}, wa_id=wa_id, user_id=user_id)
            business.tell(message, wa_id=wa_id, user_id=user_id)
            business.wait_until_quiet()

        assert business.count("customers") == 1
        assert len({message["conversation_id"] for message in business.messages()}) == 1

    def test_two_people_who_turn_out_to_be_one_go_on_in_one_conversation(self, rig):
        business = rig.business()
        for wa_id, user_id in [("12025550188", None), (None, "US.8"), ("12025550188", "US.8")]:
            message = business.message("text", {"body": "Hi"}, wa_id=wa_id, user_id=user_id)
            business.tell(message, wa_id=wa_id, user_id=user_id)
            business.wait_until_quiet()
        wait_until(lambda: business.count("customers") == 1, what="one person")

        business.write("And now?", wa_id="12025550188")
        business.wait_until_quiet()

        active = rig.rows(
            "SELECT conversations.* FROM conversations JOIN customers USING (customer_id)"
            " WHERE phone_number_id = %s AND is_active",
            business.phone_number_id,
        )
        assert [conversation["customer_phone"] for conversation in active] == ["12025550188"]
        assert len(business.replies()) == 4

    def test_somebody_who_changes_their_number_goes_on_talking(self, rig):
        business = rig.business()
        business.write("Hi", wa_id="12025550101")
        business.wait_until_quiet()
        system = {"body": "changed", "wa_id": "12025550102", "type": "user_changed_number"}

        business.tell(business.message("system", system, wa_id="12025550101"), wa_id="12025550101")
        wait_until(lambda: business.count("customers", "wa_id = '12025550102'"), what="the new number")
        business.write("Still me", wa_id="12025550102")
        business.wait_until_quiet()

        assert len({message["conversation_id"] for message in business.messages()}) == 1
        assert len(business.replies("12025550102")) == 1


class TestInstagram:
    def test_answers_in_parts_of_a_thousand_bytes_and_reads_are_noted(self, rig):
        business = rig.business(type="instagram")
        rig.simulator.behave(openai={"script": [{"text": "Привет. " * 200}]})

        business.write_on_instagram("Hola")
        business.wait_until_quiet()

        sent = business.replies()
        assert len(sent) > 1
        assert all(len(text.encode()) <= 1000 for text in sent)
        wait_until(lambda: business.messages()[1]["status"] == "read", what="the read receipt")

    def test_never_answers_its_own_echo(self, rig):
        business = rig.business(type="instagram")

        business.write_on_instagram("Hola")
        business.wait_until_quiet()
        wait_until(lambda: business.count("channel_events", "kind = 'echo'"), what="the echo")

        assert len(business.replies()) == 1
        assert [m["author"] for m in business.messages()] == ["customer", "ai"]
        assert business.count("customers", "paused_until IS NOT NULL") == 0


class TestTakeover:
    def _answer_in_the_app(self, business, text: str) -> int:
        echo = {
            "from": "12025550100",
            "to": "12025550143",
            "id": identifiers.wamid("12025550143", outgoing=True),
            "timestamp": "1795380000",
            "type": "text",
            "text": {"body": text},
        }
        body = webhooks.whatsapp_envelope({"message_echoes": [echo]}, number=business.number)
        body["entry"][0]["changes"][0]["field"] = "smb_message_echoes"
        return business.post(webhooks.encode(body))

    def test_an_answer_in_the_app_is_kept_and_the_ai_steps_back(self, rig):
        business = rig.business()
        business.write("Hi")
        business.wait_until_quiet()

        self._answer_in_the_app(business, "Te atiendo yo")
        wait_until(lambda: business.count("customers", "paused_until > now()"), what="the pause")
        business.write("Thanks")

        assert [(m["author"], m["text"]) for m in business.messages()][2] == ("staff", "Te atiendo yo")
        assert len(business.replies()) == 1

    def test_an_answer_in_the_app_while_the_model_thinks_stops_the_reply(self, rig):
        rig.simulator.behave(openai={"script": [{"delay": 6}]})
        business = rig.business()
        business.write("Hi")
        wait_until(business.asked, what="the model is asked")

        self._answer_in_the_app(business, "I'm on it")
        business.wait_until_quiet()

        assert business.replies() == []
        assert business.balance() == 1000
        assert business.count("deliveries", "state = 'cancelled'") == 1

    def test_two_bots_do_not_talk_for_ever(self, rig):
        rig.restart("worker", REPLY_BUDGET="3", REPLY_DEBOUNCE="0")
        business = rig.business()

        for n in range(5):
            business.write(f"Beep {n}")
            wait_until(lambda: business.is_quiet() or business.count("customers", "paused_until > now()"))

        assert len(business.replies()) == 3
        assert business.count("customers", "pause_reason = 'reply_budget'") == 1
