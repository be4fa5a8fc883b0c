"""An independent WhatsApp client against the simulator, both ways."""

import base64
import json

import pytest
import requests

from simulator import webhooks
from simulator.webhooks import Customer, Number
from tests.rig import wait_until
from tests.simulator.conftest import SECRET

pywa = pytest.importorskip("pywa")
errors = pytest.importorskip("pywa.errors")
types = pytest.importorskip("pywa.types")
httpx = pytest.importorskip("httpx")

NUMBER = Number()
LUCIA = Customer(user_id="US.13491208655302741918")


@pytest.fixture
def client(simulator):
    def redirect(request):
        """Send to the simulator what is meant for graph.facebook.com, which pywa has no setting for."""
        url = httpx.URL(simulator.url)
        request.url = request.url.copy_with(scheme="http", host=url.host, port=url.port)
        request.headers["host"] = f"{url.host}:{url.port}"

    with httpx.Client(event_hooks={"request": [redirect]}, timeout=60) as session:
        yield pywa.WhatsApp(
            NUMBER.phone_number_id, "token", session=session, server=None, app_secret=SECRET, verify_token="x"
        )


class TestSending:
    def test_a_text_gets_an_id(self, simulator, client):
        sent = client.send_message(to="12025550143", text="Hello", tracker="dlv_1")

        (entry,) = simulator.journal(api="graph")
        assert entry["provider_ids"] == [sent.id]
        assert entry["body"]["biz_opaque_callback_data"] == "dlv_1"

    def test_a_text_to_a_bsuid_too(self, simulator, client):
        sent = client.send_message(to=LUCIA.user_id, text="Hello")

        assert sent.id.startswith("wamid.")

    def test_a_quote_and_buttons(self, simulator, client):
        buttons = [types.Button(title="Yes", callback_data="yes")]

        sent = client.send_message(
            to="12025550143", text="Sure?", buttons=buttons, reply_to_message_id="wamid.x"
        )

        assert sent.id.startswith("wamid.")

    def test_a_message_is_read_and_answered(self, client):
        assert client.mark_message_as_read("wamid.x")
        assert client.indicate_typing("wamid.x")

    @pytest.mark.parametrize(
        ("code", "error"),
        [
            (131047, errors.ReEngagementMessage),
            (131026, errors.MessageUndeliverable),
            (130429, errors.RateLimitHit),
            (131056, errors.TooManyMessages),
            (190, errors.ExpiredAccessToken),
            (131031, errors.AccountLocked),
        ],
    )
    def test_errors_are_understood(self, simulator, client, code, error):
        simulator.behave(graph={"script": [{"code": code}]})

        with pytest.raises(error):
            client.send_message(to="12025550143", text="Hello")

    def test_media_is_downloaded(self, simulator, client):
        order = {"id": "m1", "mime_type": "audio/ogg", "data": base64.b64encode(b"OggS\0").decode()}
        requests.post(f"{simulator.url}/_simulator/media", json=order, timeout=60).raise_for_status()

        found = client.get_media_url("m1")

        assert (found.mime_type, found.file_size) == ("audio/ogg", 5)
        assert client.get_media_bytes(found.url) == b"OggS\0"

    def test_the_number_describes_itself(self, client):
        assert client.get_business_phone_number().display_phone_number.lstrip("+").isdigit()


@pytest.fixture
def received(client):
    """Hand a webhook to pywa, and give what it made of it."""
    seen = []
    for decorator in (client.on_message, client.on_message_status):
        decorator()(lambda _client, update: seen.append(update))

    def hand_over(body, headers):
        assert client.webhook_update_validator(body, headers["X-Hub-Signature-256"]) is None
        assert client.webhook_update_handler(body) == ("ok", 200)
        return seen

    return hand_over


def signed(document):
    body = webhooks.encode(document)
    return body, webhooks.headers(body, SECRET)


class TestWebhooks:
    def test_a_text_is_understood(self, received):
        (message,) = received(
            *signed(webhooks.whatsapp_text(["¡Hola! 😀 a/b"], customer=LUCIA, number=NUMBER))
        )

        assert (message.text, message.type) == ("¡Hola! 😀 a/b", types.MessageType.TEXT)
        assert (message.from_user.wa_id, message.from_user.name) == (LUCIA.wa_id, LUCIA.name)
        assert message.metadata.phone_number_id == NUMBER.phone_number_id

    def test_a_customer_without_a_phone_number_is_understood(self, received):
        customer = Customer(wa_id=None, user_id=LUCIA.user_id, username="@lucia")

        (message,) = received(*signed(webhooks.whatsapp_text(["Hi"], customer=customer, number=NUMBER)))

        assert (message.from_user.wa_id, message.from_user.bsuid) == (None, LUCIA.user_id)

    @pytest.mark.parametrize("status", ["sent", "delivered", "read"])
    def test_a_status_is_understood(self, received, status):
        element = webhooks.whatsapp_status(
            status, message_id="wamid.x", customer=LUCIA, callback_data="dlv_1"
        )

        (update,) = received(*signed(webhooks.whatsapp_statuses([element], customer=LUCIA, number=NUMBER)))

        assert (update.id, update.status.value, update.tracker) == ("wamid.x", status, "dlv_1")

    def test_a_failure_is_understood(self, received):
        status = webhooks.whatsapp_status("sent", message_id="wamid.x", customer=LUCIA)
        error = {"code": 131047, "title": "Re-engagement message", "details": "Too late."}
        failed = webhooks.whatsapp_failed_status(error, status)

        # pywa wants contacts; Meta documents them as absent on a failure, and so does whatsapp_statuses.
        value = {"contacts": [LUCIA.contact()], "statuses": [failed]}

        (update,) = received(*signed(webhooks.whatsapp_envelope(value, number=NUMBER)))

        assert isinstance(update.error, errors.ReEngagementMessage)

    def test_what_the_simulator_really_posts_is_understood(self, simulator, client, received):
        sent = client.send_message(to="12025550143", text="Hello")
        simulator.deliver(texts=["Hi"], reply_to=sent.id)
        wait_until(lambda: len(simulator.receiver.received) == 4)

        for headers, body in simulator.receiver.received:
            updates = received(body, headers)

        messages = [update for update in updates if isinstance(update, types.Message)]
        assert len(updates) == 4
        assert [message.reply_to_message.id for message in messages] == [sent.id]

    def test_a_forged_signature_is_refused(self, client):
        body, _ = signed(json.loads(b'{"object":"whatsapp_business_account","entry":[]}'))

        assert client.webhook_update_validator(body, webhooks.sign(body, "another")) == ("Forbidden", 403)
