"""What WhatsApp's bodies are read as."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from channels_app.meta import whatsapp
from channels_app.meta.types import Parsed, Person
from simulator import webhooks
from simulator.webhooks import Customer, Number

NOW = datetime(2026, 11, 23, tzinfo=UTC)
NUMBER = "109876543210987"
LUCIA = Person(wa_id="12025550143", bsuid="US.13490000000000000001", name="Lucía Fernández")
BRUNO = Person(wa_id="12025550187", bsuid="MX.27700000000000000042", name="Bruno")


def parse(document: dict) -> Parsed:
    return whatsapp.parse(document, now=NOW)


class TestText:
    @pytest.mark.parametrize(
        ("name", "text", "person"),
        [
            ("wa_text", "Hola, ¿tienen clases los sábados?", LUCIA),
            ("wa_text_without_bsuid", "Hi", Person(wa_id=LUCIA.wa_id, name=LUCIA.name)),
            ("wa_text_reply", "Sí, ese", LUCIA),
            ("wa_text_forwarded", "Mira esta promo", LUCIA),
            ("wa_text_ctwa_ad", "Quiero más información", LUCIA),
            (
                "wa_bsuid_only_text",
                "Hola sin número",
                Person(bsuid=LUCIA.bsuid, name=LUCIA.name, username="luciaf"),
            ),
            ("bad_wa_timestamp_int", "x", LUCIA),
        ],
    )
    def test_is_read_with_who_wrote_it(self, sample, name, text, person):
        body = json.loads(sample(name))

        parsed = parse(body)

        assert (parsed.problems, parsed.events) == ([], [])
        [message] = parsed.inbound
        assert (message.phone_number_id, message.kind, message.text) == (NUMBER, "text", text)
        assert (message.person, message.ignored) == (person, "")
        assert message.sent_at == datetime.fromtimestamp(1795380000, tz=UTC)
        assert message.payload == body["entry"][0]["changes"][0]["value"]["messages"][0]

    def test_may_be_long(self, sample):
        [message] = parse(json.loads(sample("wa_text_long"))).inbound

        assert len(message.text) > 8000
        assert not message.ignored

    def test_goes_to_the_number_it_was_written_to(self, sample):
        [message] = parse(json.loads(sample("wa_other_phone_number_id"))).inbound

        assert message.phone_number_id == "999999999999999"

    def test_without_a_type_is_ignored(self, sample):
        [message] = parse(json.loads(sample("bad_wa_message_without_type"))).inbound

        assert message.ignored

    def test_from_the_future_was_written_now_or_soon(self):
        body = webhooks.whatsapp_text(["Hi"], customer=Customer(), number=Number(), sent_at=2**33)

        [message] = parse(body).inbound

        assert NOW <= message.sent_at <= NOW + timedelta(minutes=5)


class TestBatch:
    def test_of_two_customers_is_two_people(self, sample):
        parsed = parse(json.loads(sample("wa_batch_two_users")))

        assert [(m.person, m.text) for m in parsed.inbound] == [(LUCIA, "uno"), (BRUNO, "dos")]

    def test_of_one_customer_keeps_each_time_it_was_written(self, sample):
        parsed = parse(json.loads(sample("wa_batch_same_user_burst")))

        assert [m.text for m in parsed.inbound] == ["tres", "uno", "dos"]
        assert [m.text for m in sorted(parsed.inbound, key=lambda m: m.sent_at)] == ["uno", "dos", "tres"]

    def test_of_all_kinds_is_read_whole(self, sample):
        parsed = parse(json.loads(sample("wa_batch_mixed")))

        assert [(m.kind, m.person) for m in parsed.inbound] == [("text", LUCIA), ("image", BRUNO)]
        assert [event.payload["status"] for event in parsed.events] == ["delivered"]


class TestOther:
    @pytest.mark.parametrize(
        "name",
        [
            "wa_image_caption", "wa_audio_voice", "wa_audio_file", "wa_sticker_animated", "wa_location_place",
            "wa_contacts", "wa_interactive_button_reply", "wa_button_template_quick_reply", "wa_reaction",
            "wa_reaction_removed", "wa_order", "wa_system_number_change", "wa_unsupported_poll",
            "wa_unsupported_media_too_big",
        ],
    )  # fmt: skip
    def test_kinds_are_kept_and_not_answered(self, sample, name):
        parsed = parse(json.loads(sample(name)))

        [message] = parsed.inbound
        assert message.kind in name or message.kind in {"interactive", "button", "unsupported"}
        assert message.ignored == f"kind {message.kind} is not answered"

    @pytest.mark.parametrize("name", ["wa_value_errors", "wa_smb_message_echo", "wa_field_account_update"])
    def test_fields_are_no_messages(self, sample, name):
        parsed = parse(json.loads(sample(name)))

        assert (parsed.inbound, parsed.events, parsed.problems) == ([], [], [])


class TestStatus:
    @pytest.mark.parametrize(
        ("name", "status"),
        [
            ("wa_status_sent", "sent"),
            ("wa_status_delivered", "delivered"),
            ("wa_status_read", "read"),
            ("wa_status_failed_window", "failed"),
            ("wa_status_failed_undeliverable", "failed"),
            ("wa_status_with_callback_data", "sent"),
        ],
    )
    def test_is_an_event_of_our_message(self, sample, name, status):
        parsed = parse(json.loads(sample(name)))

        assert (parsed.inbound, parsed.problems) == ([], [])
        [event] = parsed.events
        assert (event.phone_number_id, event.kind, event.payload["status"]) == (NUMBER, "status", status)
        assert event.provider_message_id.startswith("wamid.")
        assert event.key == f"{event.provider_message_id}:{status}"

    def test_brings_our_own_id_back(self, sample):
        [event] = parse(json.loads(sample("wa_status_with_callback_data"))).events

        assert event.callback_data == "outbox:7d0a2c5e"

    def test_of_a_kind_nobody_knows_is_kept(self):
        status = webhooks.whatsapp_status("played", message_id="wamid.1", customer=Customer())

        [event] = parse(webhooks.whatsapp_envelope({"statuses": [status]}, number=Number())).events

        assert event.payload["status"] == "played"


class TestPerson:
    def person(self, message: dict, contacts: list) -> Person:
        given = {"id": "wamid.1", "type": "text", "text": {"body": "Hi"}, **message}
        body = webhooks.whatsapp_envelope({"contacts": contacts, "messages": [given]}, number=Number())
        return parse(body).inbound[0].person

    def test_has_no_plus_before_the_number(self):
        assert self.person({"from": "+1202"}, [{"wa_id": "1202", "profile": {"name": "Ada"}}]) == Person(
            wa_id="1202", name="Ada"
        )

    def test_is_matched_by_id_and_not_by_place(self):
        contacts = [{"wa_id": "1", "profile": {"name": "One"}}, {"wa_id": "2", "profile": {"name": "Two"}}]

        assert self.person({"from": "2"}, contacts).name == "Two"

    def test_without_a_contact_is_known_by_the_message(self):
        assert self.person({"from": "1202"}, []) == Person(wa_id="1202")

    @pytest.mark.parametrize("contacts", [[None], [7], [{"wa_id": 7}], [{"profile": "Ada"}], {}])
    def test_with_a_bad_contact_is_known_by_the_message(self, contacts):
        assert self.person({"from": "1202"}, contacts) == Person(wa_id="1202")


class TestProblems:
    def test_name_the_field_and_never_its_content(self):
        bad = {"id": "wamid.1", "type": "text", "text": {"body": ["my secret"]}}

        parsed = parse(webhooks.whatsapp_envelope({"messages": [bad]}, number=Number()))

        assert parsed.problems == ["message: text.body string_type"]
