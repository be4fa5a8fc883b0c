"""Work of one kind, or for one business, does not wait behind other work: through the real processes."""

import contextlib
import uuid

import pytest
import requests

from billing.webhooks import signing
from config.lib import crypto, ids, jobs
from config.lib.jobs import Job
from tests import environment
from tests.billing.receiver import Receiver
from tests.rig import Business, Rig, wait_until

pytestmark = pytest.mark.long

READINGS = 80
# How long a reading takes, in seconds; with 4 threads the 80 of them take ten minutes.
READING_TAKES = 30
ENDPOINT_TAKES = 9


def conversations(business: Business) -> list[str]:
    rows = business.rig.rows(
        "SELECT conversation_id FROM conversations WHERE user_id = %s ORDER BY conversation_id",
        business.user_id,
    )
    return [row["conversation_id"] for row in rows]


def have_read(business: Business) -> None:
    """Open a reading of each conversation of a business, and ring for all of them."""
    business.rig.execute(
        "INSERT INTO extractions (extraction_id, conversation_id, user_id, trigger, upto_sequence_no)"
        " SELECT 'ext_' || conversation_id, conversation_id, user_id, 'manual', last_sequence_no"
        "   FROM conversations WHERE user_id = %s",
        business.user_id,
    )
    for conversation_id in conversations(business):
        jobs.ring_now(Job.EXTRACT, conversation_id=conversation_id)


def readings(business: Business, status: str) -> int:
    return int(
        business.rig.value(
            "SELECT count(*) FROM extractions WHERE user_id = %s AND status = %s", business.user_id, status
        )
    )


class TestReadings:
    def test_staff_reply_does_not_wait_behind_readings(self, rig):
        rig.start("web")
        busy, other = rig.business(), rig.business()
        for number in range(READINGS):
            busy.post(busy.body("Hello", wa_id=f"1202555{number:04}"))
        other.write("Hello")
        busy.wait_until_quiet()
        other.wait_until_quiet()
        rig.simulator.behave(openai={"script": [{"match": "json_schema", "delay": READING_TAKES}] * READINGS})
        have_read(busy)
        wait_until(lambda: readings(busy, "running") == 4, what="as many readings as there are threads")

        (conversation_id,) = conversations(other)
        answer = requests.post(
            f"{environment.API_URL}/users/{other.user_id}/conversations/{conversation_id}/messages",
            json={"text": "Here is a person."},
            headers={"x-api-key": rig.key(other.user_id)},
            timeout=60,
        )
        assert answer.ok, answer.text
        wait_until(lambda: "Here is a person." in other.replies(), what="the reply at Graph")

        # They are far from done: the reply did not wait for them.
        assert readings(busy, "running") == 4
        assert readings(busy, "waiting") > READINGS // 2
        rig.execute("UPDATE extractions SET status = 'failed' WHERE user_id = %s", busy.user_id)


def endpoint(business: Business, url: str) -> str:
    endpoint_id, secret = ids.new("whe"), signing.new_secret()
    business.rig.execute(
        "INSERT INTO webhook_endpoints (endpoint_id, user_id, url, secret) VALUES (%s, %s, %s, %s)",
        endpoint_id,
        business.user_id,
        url,
        crypto.encrypt(secret, context=f"webhook_endpoints:secret:{endpoint_id}"),
    )
    return endpoint_id


def record_events(business: Business, count: int) -> None:
    business.rig.execute(
        "INSERT INTO events (event_id, user_id, type, data)"
        " SELECT 'evt_' || %s || lpad(n::text, 6, '0'), %s, 'lead.created', '{}'"
        "   FROM generate_series(1, %s) AS n",
        uuid.uuid4().hex[:20],
        business.user_id,
        count,
    )


def deliveries(business: Business, state: str) -> int:
    return int(
        business.rig.value(
            "SELECT count(*) FROM webhook_deliveries JOIN events USING (event_id)"
            " WHERE user_id = %s AND state = %s",
            business.user_id,
            state,
        )
    )


def write_email(business: Business) -> str:
    email_id = ids.new("eml")
    business.rig.execute(
        'INSERT INTO emails (email_id, user_id, reference, "to", subject, body)'
        " VALUES (%s, %s, %s, 'sales@example.com', 'A lead', 'Ada')",
        email_id,
        business.user_id,
        email_id,
    )
    return email_id


def is_sent(rig: Rig, email_id: str) -> bool:
    return bool(rig.value("SELECT state = 'sent' FROM emails WHERE email_id = %s", email_id))


class TestSlowEndpoints:
    def test_of_one_business_delay_neither_webhooks_of_others_nor_emails(self, rig):
        rig.start("notifier", WEBHOOK_ENDPOINTS_PRIVATE="true", NOTIFIER_CONCURRENCY="16")
        slow, other = rig.business(), rig.business()
        with contextlib.ExitStack() as stack:
            receivers = [stack.enter_context(Receiver()) for _ in range(4)]
            quick = stack.enter_context(Receiver())
            for receiver in receivers:
                receiver.always(delay=ENDPOINT_TAKES)
                endpoint(slow, receiver.url)
            endpoint(other, quick.url)
            record_events(slow, 200)
            wait_until(lambda: any(receiver.posts for receiver in receivers), what="posts that take long")

            # At first nothing says that the endpoints are slow; after the first answers it is known.
            for told in (1, 2, 3):
                record_events(other, 1)
                wait_until(lambda told=told: len(quick.posts) == told, what="the other's webhook")
                email_id = write_email(other)
                wait_until(lambda email_id=email_id: is_sent(rig, email_id), what="the e-mail")
                wait_until(lambda: deliveries(slow, "delivered"), what="a post that was answered")

            assert deliveries(slow, "pending") > 700
            assert sum(receiver.most_at_once for receiver in receivers) <= 16
