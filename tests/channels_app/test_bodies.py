"""A signed body that nobody could ever read is answered 200, or Meta would repeat it for days."""

import json

import pytest

from channels_app.models import InboundMessage
from simulator import webhooks
from simulator.webhooks import Customer, Number
from tests.channels_app.conftest import PAYLOADS

BAD = sorted(path.stem for path in PAYLOADS.glob("bad_*.body"))
DEEP = 10_000


def text_message(**more) -> dict:
    message = webhooks.whatsapp_message("text", {"body": "Hello"}, customer=Customer(), message_id="wamid.1")
    return webhooks.whatsapp_messages([{**message, **more}], customer=Customer(), number=Number())


def raw_with(value: str) -> bytes:
    """Put a piece of JSON into a message, as it stands."""
    return webhooks.encode(text_message(extra="PLACE")).replace(b'"PLACE"', value.encode())


class TestUnreadable:
    @pytest.mark.parametrize("name", BAD)
    def test_samples_are_answered_200(self, db, post, sample, name):
        assert post(sample(name)).status_code == 200

    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"null",
            b"[]",
            b"7",
            b'"text"',
            b"true",
            b"{",
            b'{"object":"whatsapp_business_account","entry":[',
            b"\xff\xfe{}",
            b'{"object": "\xe9"}',
            b'{"object": "\xed\xa0\x80"}',
            b"[" * DEEP + b"]" * DEEP,
            b'{"a":' * DEEP + b"1" + b"}" * DEEP,
            b'{"object": NaN}',
            b'{"object": -Infinity}',
            b'{"object": ' + b"9" * 10_000 + b"}",
            b'{"object": null}',
            b'{"object": ["whatsapp_business_account"]}',
            b'{"object": "whatsapp_business_account"}',
            b'{"object": "whatsapp_business_account", "entry": {}}',
            b'{"object": "whatsapp_business_account", "entry": [null, 1, [], {"changes": [null, 3]}]}',
            b'{"object": "whatsapp_business_account", "entry": [{"changes": [{"field": "messages"}]}]}',
            b'{"object": "page", "entry": []}',
        ],
        ids=lambda raw: raw[:24].decode("latin-1"),
    )
    def test_bodies_are_answered_200_and_nothing_is_kept(self, db, post, raw):
        answer = post(raw)

        assert (answer.status_code, answer.content) == (200, b"")
        assert not InboundMessage.objects.exists()

    def test_numbers_that_are_absurdly_long_cost_the_body(self, db, post):
        assert post(raw_with("9" * 10_000)).status_code == 200

        assert not InboundMessage.objects.exists()


class TestOdd:
    def test_a_byte_order_mark_is_passed_over(self, db, post):
        post(b"\xef\xbb\xbf" + webhooks.encode(text_message()))

        assert InboundMessage.objects.get().text == "Hello"

    @pytest.mark.parametrize(
        ("told", "kept"),
        [
            ("a\x00b", "a\ufffdb"),
            ("a\ud83db", "a\ufffdb"),
            ("a\udc4d", "a\ufffd"),
            ("\ud83d", "\ufffd"),
            ("\ud83d\udc4d", "👍"),
            ("\ufeffa", "\ufeffa"),
            ("\\u0000", "\\u0000"),
        ],
    )
    def test_what_postgres_cannot_keep_is_replaced(self, db, post, told, kept):
        answer = post(text_message(text={"body": told}))

        assert answer.status_code == 200
        message = InboundMessage.objects.get()
        assert message.text == kept
        assert message.payload["text"]["body"] == kept

    def test_it_is_replaced_in_names_and_keys_too(self, db, post):
        document = text_message(**{"k\x00y": 1})
        document["entry"][0]["changes"][0]["value"]["contacts"][0]["profile"]["name"] = "Lu\x00cía"

        assert post(document).status_code == 200

        message = InboundMessage.objects.select_related("customer").get()
        assert message.payload["k\ufffdy"] == 1
        assert message.customer.name == "Lu\ufffdcía"

    def test_a_huge_number_is_kept(self, db, post):
        assert post(raw_with("9" * 4000)).status_code == 200

        assert InboundMessage.objects.get().payload["extra"] == int("9" * 4000)

    @pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400"])
    def test_a_number_that_json_does_not_know_is_left_out(self, db, post, number):
        assert post(raw_with(number)).status_code == 200

        assert InboundMessage.objects.get().payload["extra"] is None

    def test_an_id_that_no_index_could_hold_costs_its_message_only(self, db, post):
        document = text_message()
        messages = document["entry"][0]["changes"][0]["value"]["messages"]
        messages.append({**messages[0], "id": "wamid." + "x" * 5000})

        assert post(document).status_code == 200

        assert InboundMessage.objects.get().provider_message_id == "wamid.1"

    def test_of_a_key_told_twice_the_last_counts(self, db, post):
        raw = webhooks.encode(text_message()).replace(b'"body":"Hello"', b'"body":"No","body":"Yes"')

        post(raw)

        assert InboundMessage.objects.get().text == "Yes"

    @pytest.mark.parametrize("depth", [50, 100, 400, 800, 900, 920, 940, 960, 980, 1500])
    def test_nesting_never_breaks_it(self, db, post, depth):
        assert post(raw_with("[" * depth + "]" * depth)).status_code == 200

    @pytest.mark.parametrize(
        "timestamp",
        ["x", "", None, 0, -1, "nan", "1e400", 10**30, 1795380000, "1795380000", "-99999999999999"],
    )
    def test_any_timestamp_is_taken(self, db, post, timestamp):
        assert post(text_message(timestamp=timestamp)).status_code == 200

        assert InboundMessage.objects.get().text == "Hello"


class TestSize:
    def test_of_three_megabytes_is_taken(self, db, post):
        text = "x" * (3 * 1024 * 1024)

        assert post(text_message(text={"body": text})).status_code == 200

        assert len(InboundMessage.objects.get().text) == len(text)

    def test_of_more_than_four_is_refused(self, db, post):
        answer = post(b'{"x":"' + b"x" * int(4.1 * 1024 * 1024) + b'"}')

        assert answer.status_code == 413

    def test_of_a_thousand_messages_is_taken_at_once(self, db, post):
        texts = [f"Message {n}" for n in range(1000)]

        post(webhooks.whatsapp_text(texts, customer=Customer(), number=Number()))

        kept = InboundMessage.objects.order_by("id").values_list("text", flat=True)
        assert list(kept) == texts

    def test_of_the_text_does_not_show_in_the_answer(self, db, post):
        assert json.dumps(post(text_message()).content.decode()) == '""'
