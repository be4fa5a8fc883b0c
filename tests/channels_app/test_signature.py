"""Whoever posts proves it with a signature over the raw bytes."""

import hashlib
import hmac
import json

import pytest

from channels_app.meta import signature
from channels_app.models import ChannelEvent, InboundMessage
from simulator import webhooks
from tests.channels_app.conftest import SECRET

BODY = '{"object":"whatsapp_business_account","text":"\\u00e4 \\/ é 🙂"}'.encode()
RIGHT = webhooks.sign(BODY, SECRET)


def refused(answer) -> bool:
    nothing_kept = not InboundMessage.objects.exists() and not ChannelEvent.objects.exists()
    return answer.status_code == 401 and nothing_kept


class TestSignature:
    def test_over_the_raw_bytes_is_accepted(self, client, settings, db):
        answer = client.post(
            settings.WEBHOOK_PATH, BODY, content_type="application/json",
            headers={"X-Hub-Signature-256": RIGHT},
        )  # fmt: skip

        assert answer.status_code == 200

    @pytest.mark.parametrize(
        "header",
        [
            None,
            "",
            "sha256=",
            "sha1=" + hmac.new(SECRET.encode(), BODY, hashlib.sha1).hexdigest(),
            "sha256=" + "0" * 64,
            "sha256=" + RIGHT.removeprefix("sha256=").upper(),
            RIGHT.removeprefix("sha256="),
            webhooks.sign(BODY, "another-secret"),
            webhooks.sign(BODY, ""),
            RIGHT + ", " + RIGHT,
            "sha256=ünïcödé",
            "sha256=" + "é" * 64,
        ],
    )
    def test_of_any_other_kind_is_refused(self, client, settings, db, sample, header):
        headers = {} if header is None else {"X-Hub-Signature-256": header}

        answer = client.post(settings.WEBHOOK_PATH, BODY, content_type="application/json", headers=headers)

        assert refused(answer)

    def test_of_the_older_kind_alone_is_refused(self, client, settings, db, sample):
        raw = sample("wa_text")
        headers = {"X-Hub-Signature": webhooks.headers(raw, SECRET)["X-Hub-Signature"]}

        answer = client.post(settings.WEBHOOK_PATH, raw, content_type="application/json", headers=headers)

        assert refused(answer)

    def test_does_not_hold_for_the_same_json_in_other_bytes(self, client, settings, db, sample):
        raw = sample("wa_text")
        again = json.dumps(json.loads(raw)).encode()

        answer = client.post(
            settings.WEBHOOK_PATH, again, content_type="application/json",
            headers={"X-Hub-Signature-256": webhooks.sign(raw, SECRET)},
        )  # fmt: skip

        assert refused(answer)


class TestSecrets:
    def test_may_be_several_while_one_replaces_the_other(self):
        secrets = ["new-secret", SECRET]

        assert signature.is_valid(raw=BODY, header=webhooks.sign(BODY, "new-secret"), secrets=secrets)
        assert signature.is_valid(raw=BODY, header=RIGHT, secrets=secrets)
        assert not signature.is_valid(raw=BODY, header=RIGHT, secrets=["new-secret"])

    @pytest.mark.parametrize("secrets", [[], [""], ["", ""]])
    def test_that_are_empty_never_match(self, secrets):
        assert not signature.is_valid(raw=BODY, header=webhooks.sign(BODY, ""), secrets=secrets)

    def test_of_which_one_is_empty_still_match_with_the_other(self):
        assert signature.is_valid(raw=BODY, header=RIGHT, secrets=["", SECRET])
        assert not signature.is_valid(raw=BODY, header=webhooks.sign(BODY, ""), secrets=["", SECRET])

    def test_that_are_not_ascii_work(self):
        assert signature.is_valid(raw=BODY, header=webhooks.sign(BODY, "sécret"), secrets=["sécret"])
