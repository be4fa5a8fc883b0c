"""What a webhook brings is kept before it is answered."""

import copy

import pytest
from django.conf import settings

from channels_app.models import ChannelEvent, Customer, InboundMessage
from simulator import webhooks
from simulator.webhooks import Customer as Person
from simulator.webhooks import Number
from tests.factories import PhoneNumberFactory

PERSON = Person(user_id="US.1349")


def document(*messages: dict, number: Number | None = None) -> dict:
    return webhooks.whatsapp_messages(list(messages), customer=PERSON, number=number or Number())


def message(kind: str = "text", content: object = None, message_id: str = "wamid.1", **more) -> dict:
    content = content or {"body": "Hello"}
    return {**webhooks.whatsapp_message(kind, content, customer=PERSON, message_id=message_id), **more}


class TestText:
    def test_is_kept_whole(self, db, post):
        number = PhoneNumberFactory()
        sent = message(timestamp="1700000000")

        answer = post(document(sent, number=Number(phone_number_id=number.phone_number_id)))

        assert answer.status_code == 200
        kept = InboundMessage.objects.get()
        assert (kept.phone_number, kept.provider_message_id, kept.kind) == (number, "wamid.1", "text")
        assert (kept.text, kept.status, kept.payload) == ("Hello", "pending", sent)
        assert kept.sent_at.timestamp() == 1_700_000_000
        customer = kept.customer
        assert (customer.wa_id, customer.bsuid, customer.name) == ("12025550143", "US.1349", PERSON.name)

    def test_to_an_unknown_number_is_kept_too(self, db, post):
        answer = post(document(message(), number=Number(phone_number_id="999999999999999")))

        assert answer.status_code == 200
        kept = InboundMessage.objects.get()
        assert (kept.phone_number_id, kept.status) == ("999999999999999", "pending")

    def test_told_again_is_one_row(self, db, post):
        for _ in range(3):
            assert post(document(message())).status_code == 200

        assert InboundMessage.objects.count() == 1

    def test_told_twice_in_one_body_is_one_row(self, db, post):
        post(document(message(), message()))

        assert InboundMessage.objects.count() == 1

    def test_with_the_same_words_in_the_same_second_is_two_rows(self, db, post):
        post(document(message(message_id="wamid.1"), message(message_id="wamid.2")))

        assert InboundMessage.objects.filter(text="Hello").count() == 2

    def test_with_one_id_on_two_numbers_is_two_rows(self, db, post):
        post(document(message(), number=Number(phone_number_id="1")))
        post(document(message(), number=Number(phone_number_id="2")))

        assert InboundMessage.objects.count() == 2


class TestIgnored:
    @pytest.mark.parametrize(
        ("given", "reason"),
        [
            (message("system", {"type": "something_else"}), "system message"),
            (message(group_id="1203"), "group message"),
            (message(text={"body": "  \n"}), "empty text"),
        ],
    )
    def test_messages_are_kept_with_the_reason(self, db, post, given, reason):
        assert post(document(given)).status_code == 200

        kept = InboundMessage.objects.get()
        assert (kept.status, kept.reason) == ("ignored", reason)

    @pytest.mark.parametrize("sender", [None, "", "+"])
    def test_messages_without_a_sender_have_no_customer(self, db, post, sender):
        given = {key: value for key, value in message().items() if key not in {"from", "from_user_id"}}

        assert post(document(given if sender is None else {**given, "from": sender})).status_code == 200

        kept = InboundMessage.objects.get()
        assert (kept.status, kept.reason, kept.customer) == ("ignored", "no sender", None)
        assert not Customer.objects.exists()


class TestBatch:
    @pytest.mark.parametrize(
        "bad",
        [
            message(id=""),
            message(id=None),
            message(text={"body": None}),
            message(text="Hello"),
        ],
        ids=["empty id", "null id", "null text", "text of a wrong type"],
    )
    def test_loses_only_the_item_that_is_bad(self, db, post, bad):
        first, last = message(message_id="wamid.first"), message(message_id="wamid.last")

        assert post(document(first, bad, last)).status_code == 200

        kept = InboundMessage.objects.order_by("id").values_list("provider_message_id", flat=True)
        assert list(kept) == ["wamid.first", "wamid.last"]

    def test_loses_only_the_change_that_is_bad(self, db, post):
        good = document(message())
        bad = copy.deepcopy(good)
        del bad["entry"][0]["changes"][0]["value"]["metadata"]
        other = {"id": "1", "changes": [{"field": "account_update", "value": {"event": "X"}}]}

        post({**good, "entry": [*bad["entry"], other, None, *good["entry"]]})

        assert InboundMessage.objects.count() == 1

    def test_of_messages_and_statuses_is_kept_whole(self, db, post, sample):
        assert post(sample("wa_batch_mixed")).status_code == 200

        kept = InboundMessage.objects.order_by("id").values_list("kind", "status")
        assert list(kept) == [("text", "pending"), ("image", "pending")]
        assert ChannelEvent.objects.get().payload["status"] == "delivered"


class TestStatus:
    def test_is_kept_once_as_an_event(self, db, post, sample):
        for _ in range(3):
            assert post(sample("wa_status_with_callback_data")).status_code == 200

        event = ChannelEvent.objects.get()
        assert (event.kind, event.callback_data) == ("status", "outbox:7d0a2c5e")
        assert event.provider_message_id.startswith("wamid.")
        assert event.applied_at is None
        assert not InboundMessage.objects.exists()

    def test_of_each_step_is_an_event_of_its_own(self, db, post, sample):
        for name in ("wa_status_sent", "wa_status_delivered", "wa_status_read"):
            post(sample(name))

        told = ChannelEvent.objects.order_by("id").values_list("payload__status", flat=True)
        assert list(told) == ["sent", "delivered", "read"]

    def test_that_is_bad_costs_no_other(self, db, post):
        good = webhooks.whatsapp_status("sent", message_id="wamid.1", customer=PERSON)
        value = {"statuses": [{**good, "id": None}, {**good, "status": {}}, good]}

        post(webhooks.whatsapp_envelope(value, number=Number()))

        assert ChannelEvent.objects.count() == 1


class TestCorrelationId:
    def test_of_the_caller_is_kept_and_given_back(self, db, post):
        answer = post(document(message()), **{"X-Correlation-Id": "trace-7.a:b"})

        assert answer.headers["X-Correlation-Id"] == "trace-7.a:b"
        assert InboundMessage.objects.get().correlation_id == "trace-7.a:b"

    def test_of_an_event_is_kept(self, db, post, sample):
        post(sample("wa_status_read"), **{"X-Correlation-Id": "trace-8"})

        assert ChannelEvent.objects.get().correlation_id == "trace-8"

    @pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a\tb", "é", "'; DROP TABLE users"])
    def test_that_is_bad_is_replaced(self, db, post, given):
        answer = post(document(message()), **{"X-Correlation-Id": given})

        made = answer.headers["X-Correlation-Id"]
        assert made.startswith("cor_")
        assert InboundMessage.objects.get().correlation_id == made


class TestLogs:
    def test_hold_neither_what_was_said_nor_who_said_it(self, db, post, caplog):
        post(document(message(text={"body": "my secret"}), message(id=None, text={"body": "my secret"})))
        post(b'{"my secret": ')
        post(document(message(text={"body": "my secret"})), **{"X-Hub-Signature-256": "sha256=wrong"})

        assert len(caplog.records) >= 4
        for unwanted in ("my secret", PERSON.wa_id, PERSON.name, "test-app-secret"):
            assert str(unwanted) not in caplog.text

    def test_name_the_correlation_id(self, db, post, caplog):
        post(document(message()), **{"X-Correlation-Id": "trace-9"})

        assert "trace-9" in caplog.text


class TestContentType:
    @pytest.mark.parametrize(
        "given", ["text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"]
    )
    def test_that_is_no_json_is_refused(self, db, client, given):
        body = webhooks.encode(document(message()))

        answer = client.post(
            settings.WEBHOOK_PATH, body, content_type=given,
            headers={"X-Hub-Signature-256": webhooks.sign(body, "test-app-secret")},
        )  # fmt: skip

        assert answer.status_code == 415
        assert not InboundMessage.objects.exists()

    def test_may_name_its_charset(self, db, client):
        body = webhooks.encode(document(message()))

        answer = client.post(
            settings.WEBHOOK_PATH, body, content_type="application/json; charset=utf-8",
            headers={"X-Hub-Signature-256": webhooks.sign(body, "test-app-secret")},
        )  # fmt: skip

        assert answer.status_code == 200
