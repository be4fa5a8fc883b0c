"""What happened reaches the business's server: through the real processes, whatever becomes of them."""

from dataclasses import dataclass

import pytest
from standardwebhooks import Webhook

from billing.webhooks import signing
from config.lib import crypto, ids
from tests.billing.receiver import Receiver
from tests.rig import Business, Rig, wait_until

pytestmark = pytest.mark.long


@pytest.fixture
def receiver():
    with Receiver() as running:
        yield running


@dataclass
class Endpoint:
    """An endpoint of a business, and where its events end up."""

    rig: Rig
    business: Business
    endpoint_id: str
    secret: str

    def tell(self, **data: int) -> str:
        """Record an event, and give its id."""
        event_id = ids.new("evt")
        self.rig.execute(
            "INSERT INTO events (event_id, user_id, type, data)"
            " VALUES (%s, %s, 'lead.created', jsonb_build_object('n', %s::int))",
            *(event_id, self.business.user_id, data["n"]),
        )
        return event_id

    def deliveries(self) -> list[dict]:
        return self.rig.rows(
            "SELECT event_id, state, attempts FROM webhook_deliveries WHERE endpoint_id = %s",
            self.endpoint_id,
        )

    def wait_until_delivered(self, number: int) -> None:
        wait_until(
            lambda: [row["state"] for row in self.deliveries()] == ["delivered"] * number,
            what=f"{number} deliveries",
        )


@pytest.fixture
def endpoint(rig, receiver) -> Endpoint:
    rig.start("notifier", WEBHOOK_ENDPOINTS_PRIVATE="true")
    made = Endpoint(rig, rig.business(), ids.new("whe"), signing.new_secret())
    secret = crypto.encrypt(made.secret, context=f"webhook_endpoints:secret:{made.endpoint_id}")
    rig.execute(
        "INSERT INTO webhook_endpoints (endpoint_id, user_id, url, secret) VALUES (%s, %s, %s, %s)",
        *(made.endpoint_id, made.business.user_id, receiver.url, secret),
    )
    return made


class TestEvent:
    def test_reaches_the_business_signed(self, endpoint, receiver):
        told = [endpoint.tell(n=number) for number in range(3)]

        endpoint.wait_until_delivered(3)

        said = [Webhook(endpoint.secret).verify(post["body"], post["headers"]) for post in receiver.posts]
        assert sorted(event["event_id"] for event in said) == told
        assert sorted(event["data"]["n"] for event in said) == [0, 1, 2]

    def test_comes_again_under_its_id_when_its_sender_was_killed_over_it(self, rig, endpoint, receiver):
        receiver.plan({"delay": 30})
        event_id = endpoint.tell(n=1)
        wait_until(lambda: receiver.posts, what="the first attempt")

        rig.kill("notifier")
        # Half a minute passes.
        rig.execute(
            "UPDATE webhook_deliveries SET lease_expires_at = now(), due_at = now() WHERE endpoint_id = %s",
            endpoint.endpoint_id,
        )
        rig.start("notifier", WEBHOOK_ENDPOINTS_PRIVATE="true")
        endpoint.wait_until_delivered(1)

        assert [post["headers"]["webhook-id"] for post in receiver.posts] == [event_id] * 2
        assert endpoint.deliveries()[0]["attempts"] == 2

    def test_is_brought_to_its_end_by_a_sender_that_is_told_to_stop(self, rig, endpoint, receiver):
        receiver.plan({"delay": 2})
        endpoint.tell(n=1)
        wait_until(lambda: receiver.posts, what="the attempt")

        rig.stop("notifier")

        assert endpoint.deliveries()[0]["state"] == "delivered"
        assert len(receiver.posts) == 1
