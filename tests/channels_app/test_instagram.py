"""Instagram's messages are kept, not answered yet."""

import json
from datetime import UTC, datetime

import pytest

from channels_app.meta import instagram
from channels_app.models import InboundMessage

NOW = datetime(2026, 11, 23, tzinfo=UTC)


class TestParse:
    def test_reads_a_text(self, sample):
        body = json.loads(sample("ig_text"))
        item = body["entry"][0]["messaging"][0]

        [message] = instagram.parse(body, now=NOW).inbound

        assert (message.phone_number_id, message.person.ig_id) == (
            item["recipient"]["id"],
            item["sender"]["id"],
        )
        assert (message.text, message.provider_message_id) == (
            item["message"]["text"],
            item["message"]["mid"],
        )
        assert message.sent_at == datetime.fromtimestamp(item["timestamp"] // 1000, tz=UTC)
        assert message.ignored

    @pytest.mark.parametrize("name", ["ig_echo_text", "ig_read", "bad_ig_sender_missing"])
    def test_takes_nothing_else_for_a_message(self, sample, name):
        assert instagram.parse(json.loads(sample(name)), now=NOW).inbound == []

    def test_takes_a_timestamp_of_text(self, sample):
        assert len(instagram.parse(json.loads(sample("bad_ig_timestamp_string")), now=NOW).inbound) == 1


class TestWebhook:
    def test_keeps_a_message_unanswered(self, db, post, sample):
        assert post(sample("ig_text_unicode")).status_code == 200

        kept = InboundMessage.objects.get()
        assert (kept.status, kept.customer.ig_id is None) == ("ignored", False)
