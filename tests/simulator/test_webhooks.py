import hashlib
import hmac
from pathlib import Path

import pytest

from simulator import graph_errors, webhooks
from simulator.exchange import Json
from simulator.identifiers import business_scoped_user_id, wamid
from simulator.webhooks import Customer, Number

PAYLOADS = Path(__file__).parent.parent / "payloads"
LUCIA = Customer(wa_id="12025550143", name="Luc\u00eda Fern\u00e1ndez", user_id="US.13490000000000000001")
SENT_AT = 1795380000
SENT_ID = "wamid.HBgLMTIwMjU1NTAxNDMVAgARGBJBNDczQThDMUFCMjlFNTVFNDAA"


def wire(name: str) -> bytes:
    return (PAYLOADS / f"{name}.body").read_bytes()


def text(body: str, message_id: str, customer: Customer = LUCIA) -> Json:
    return webhooks.whatsapp_text(
        [body], customer=customer, number=Number(), sent_at=SENT_AT, message_ids=[message_id]
    )


class TestWhatsAppText:
    def test_is_byte_for_byte_what_meta_sends(self):
        document = text(
            "Hola, \u00bftienen clases los s\u00e1bados?",
            "wamid.HBgLMTIwMjU1NTAxNDMVAgASGBQzQTM3MkVBMDhDQUIzM0U3MUMwMgA=",
        )

        assert webhooks.encode(document) == wire("wa_text")

    def test_leaves_out_the_bsuid_of_a_customer_without_one(self):
        document = text(
            "Hi",
            "wamid.HBgLMTIwMjU1NTAxNDMVAgASGBQzQTM0REMwRTQzMEM2NDJBMjZDMwA=",
            Customer(wa_id="12025550143"),
        )

        assert webhooks.encode(document) == wire("wa_text_without_bsuid")

    def test_leaves_out_the_number_of_a_customer_known_by_bsuid_only(self):
        document = text(
            "Hola sin n\u00famero",
            "wamid.HBgLMTAwMDAwMDAwMDAVAgASGBQzQUYzMzMzMEIxMDk1N0M1ODJCNwA=",
            Customer(wa_id=None, user_id="US.13490000000000000001", username="@luciaf"),
        )

        assert webhooks.encode(document) == wire("wa_bsuid_only_text")

    def test_puts_a_burst_into_one_change(self):
        ids = [
            "wamid.HBgLMTIwMjU1NTAxNDMVAgASGBQzQTIzQTVGRDBFQTVBQzExNUNDMAA=",
            "wamid.HBgLMTIwMjU1NTAxNDMVAgASGBQzQTdFODNDQTJBNjVENkY5MEE4MAA=",
            "wamid.HBgLMTIwMjU1NTAxNDMVAgASGBQzQTFCMkNCMjdBQjQ1NzZCNDE4NwA=",
        ]
        messages = [
            webhooks.whatsapp_message(
                "text", {"body": body}, customer=LUCIA, message_id=message_id, sent_at=SENT_AT + late
            )
            for body, message_id, late in zip(["tres", "uno", "dos"], ids, [2, 0, 1], strict=True)
        ]

        document = webhooks.whatsapp_messages(messages, customer=LUCIA, number=Number())

        assert webhooks.encode(document) == wire("wa_batch_same_user_burst")

    def test_takes_a_context(self):
        message = webhooks.whatsapp_message(
            "text",
            {"body": "S\u00ed, ese"},
            customer=LUCIA,
            message_id="wamid.HBgLMTIwMjU1NTAxNDMVAgASGBQzQUE1REZEMUUyQTE1NDEzQzIzOQA=",
            sent_at=SENT_AT,
        )
        quoted = {"from": "12025550100", "id": "wamid.HBgLMTIwMjU1NTAxNDMVAgARGBI4NTlENDU1QjhFQkQ2NEEyNkEA"}

        document = webhooks.whatsapp_messages(
            [{"context": quoted, **message}], customer=LUCIA, number=Number()
        )

        assert webhooks.encode(document) == wire("wa_text_reply")


class TestWhatsAppStatuses:
    def test_echo_the_callback_data(self):
        status = webhooks.whatsapp_status(
            "sent", message_id=SENT_ID, customer=LUCIA, sent_at=SENT_AT, callback_data="outbox:7d0a2c5e"
        )

        document = webhooks.whatsapp_statuses([status], customer=LUCIA, number=Number())

        assert webhooks.encode(document) == wire("wa_status_with_callback_data")

    def test_have_no_price_when_read(self):
        status = webhooks.whatsapp_status("read", message_id=SENT_ID, customer=LUCIA, sent_at=SENT_AT + 2)

        document = webhooks.whatsapp_statuses([status], customer=LUCIA, number=Number())

        assert webhooks.encode(document) == wire("wa_status_read")

    def test_have_errors_and_no_contacts_when_failed(self):
        status = webhooks.whatsapp_status("sent", message_id=SENT_ID, customer=LUCIA, sent_at=SENT_AT)
        failed = webhooks.whatsapp_failed_status(graph_errors.failure(131026), status)

        document = webhooks.whatsapp_statuses([failed], customer=LUCIA, number=Number())

        assert webhooks.encode(document) == wire("wa_status_failed_undeliverable")


class TestInstagram:
    @pytest.mark.parametrize(
        ("name", "body", "message_id"),
        [
            ("ig_text", "Hola! precio?", "8efd86fb78a56a5145ed7739dcb00c78581c5375"),
            (
                "ig_text_unicode",
                "\u00bfEnv\u00edan a M\u00e9rida? \U0001f60d a/b",
                "a3da4c6307d230e1f1c8ad62e00d05ff1f1f5b52",
            ),
        ],
    )
    def test_text_is_byte_for_byte_what_meta_sends(self, name, body, message_id):
        document = webhooks.instagram_text(
            [body],
            sender="8123456789012345",
            account_id="17841400000000001",
            sent_at_ms=SENT_AT * 1000,
            message_ids=[f"aWdfZAG1faXRlbToxOklHTWVzc2FnZAUlEOjE3ODQx{message_id}ZD"],
        )

        assert webhooks.encode(document) == wire(name)

    def test_echo_comes_from_the_business(self):
        document = webhooks.instagram_echo(
            "\u00a1Claro!",
            message_id="aWdfZAG1faXRlbToxOklHTWVzc2FnZAUlEOjE3ODQx58e6b3a414a1e090dfc6029add0f3555ccba127fZD",
            recipient="8123456789012345",
            account_id="17841400000000001",
            sent_at_ms=SENT_AT * 1000,
        )

        assert webhooks.encode(document) == wire("ig_echo_text")

    def test_read_names_the_message(self):
        document = webhooks.instagram_read(
            "aWdfZAG1faXRlbToxOklHTWVzc2FnZAUlEOjE3ODQx58e6b3a414a1e090dfc6029add0f3555ccba127fZD",
            sender="8123456789012345",
            account_id="17841400000000001",
            sent_at_ms=SENT_AT * 1000,
        )

        assert webhooks.encode(document) == wire("ig_read")


class TestSign:
    def test_signs_the_bytes(self):
        body = wire("wa_text")

        expected = hmac.new(b"test-app-secret", body, hashlib.sha256).hexdigest()

        assert webhooks.sign(body, "test-app-secret") == f"sha256={expected}"


class TestIds:
    def test_a_wamid_is_new_each_time_and_tells_the_direction(self):
        assert wamid("12025550143") != wamid("12025550143")
        assert wamid("12025550143").startswith("wamid.HBgLMTIwMjU1NTAxNDMVAgASGBQzQ")
        assert wamid("12025550143", outgoing=True).startswith("wamid.HBgLMTIwMjU1NTAxNDMVAgARGB")
        assert len(wamid("12025550143", outgoing=True)) == len(SENT_ID)

    def test_a_bsuid_stays_the_same(self):
        assert business_scoped_user_id("12025550143") == business_scoped_user_id("12025550143")
