"""What is posted is signed so that the libraries of Standard Webhooks believe it, in Python and in Node."""

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from billing import events
from billing.models import WebhookDelivery
from billing.webhooks import delivery, endpoints, signing
from tests.documentation import node
from tests.factories import UserFactory

BODY = '{"name":"Zoë"}'.encode()


def signed(*secrets: str) -> dict[str, str]:
    return signing.headers(event_id="evt_1", body=BODY, secrets=secrets, timestamp=int(time.time()))


class TestHeaders:
    def test_are_believed_with_any_of_the_secrets(self):
        new, old = signing.new_secret(), signing.new_secret()

        headers = signed(new, old)

        assert len(headers["webhook-signature"].split()) == 2
        for secret in (new, old):
            assert Webhook(secret).verify(BODY, headers) == {"name": "Zoë"}

    @pytest.mark.parametrize(
        "changed", [{"webhook-id": "evt_2"}, {"webhook-timestamp": "1700000000"}], ids=str
    )
    def test_are_not_believed_once_somebody_changed_them(self, changed):
        secret = signing.new_secret()

        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(BODY, signed(secret) | changed)


class TestNewSecret:
    def test_is_another_each_time_and_long(self):
        made = {signing.new_secret() for _ in range(100)}

        assert len(made) == 100
        assert all(secret.startswith("whsec_") and len(secret) == 6 + 44 for secret in made)


@contextlib.contextmanager
def receiving_in_node(secret: str) -> Iterator[str]:
    """Run a business's server in Node that believes this secret, and give its URL."""
    script = Path(__file__).parent / "receiver.cjs"
    server = subprocess.Popen(
        [node.node(), script, secret],
        env=os.environ | {"NODE_PATH": str(node.MODULES)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    try:
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}/hook"
    finally:
        # `node` may be a program that runs node, so that killing it would leave that alone.
        server.communicate(timeout=60)


class TestDeliver:
    @pytest.fixture
    def tell(self, settings, transactional_db, valkey):
        settings.WEBHOOK_ENDPOINTS_PRIVATE = True

        def tell(endpoint, url: str) -> int:
            endpoints.change(endpoint, url=url)
            events.record(
                user_id=endpoint.user_id, type=events.EventType.LEAD_CREATED, data={"lead": {"name": "Zoë"}}
            )
            delivery.deliver(endpoint_id=endpoint.pk)
            return WebhookDelivery.objects.latest("delivery_id").log[-1]["status"]

        return tell

    def test_is_believed_in_node_also_while_the_secret_is_rotated(self, tell):
        endpoint, old = endpoints.create(user_id=UserFactory().user_id, url="http://127.0.0.1:1/")

        with receiving_in_node(old) as url:
            assert tell(endpoint, url) == 204
            new = endpoints.rotate_secret(endpoint, timedelta(hours=1))
            assert tell(endpoint, url) == 204
        with receiving_in_node(new) as url:
            assert tell(endpoint, url) == 204

    def test_is_not_believed_in_node_with_a_secret_that_is_over(self, tell):
        endpoint, old = endpoints.create(user_id=UserFactory().user_id, url="http://127.0.0.1:1/")
        endpoints.rotate_secret(endpoint, timedelta())

        with receiving_in_node(old) as url:
            assert tell(endpoint, url) == 401
