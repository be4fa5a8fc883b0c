"""Meta verifies the webhook's address with a GET."""

import pytest

from tests.channels_app.conftest import Post

RIGHT = {"hub.mode": "subscribe", "hub.verify_token": "test-verify-token", "hub.challenge": "1158201444"}


class TestHandshake:
    def test_gives_the_challenge_back_and_nothing_else(self, client, settings):
        answer = client.get(settings.WEBHOOK_PATH, RIGHT)

        assert (answer.status_code, answer.content) == (200, b"1158201444")

    def test_gives_markup_back_as_plain_text(self, client, settings):
        challenge = "<script>alert(1)</script>"

        answer = client.get(settings.WEBHOOK_PATH, {**RIGHT, "hub.challenge": challenge})

        assert answer.content.decode() == challenge
        assert answer.headers["Content-Type"].startswith("text/plain")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"

    @pytest.mark.parametrize(
        "change",
        [
            {"hub.verify_token": "wrong"},
            {"hub.verify_token": "test-verify-token-and-more"},
            {"hub.verify_token": ""},
            {"hub.verify_token": "tökén"},
            {"hub.verify_token": None},
            {"hub.mode": "unsubscribe"},
            {"hub.mode": None},
        ],
    )
    def test_is_refused_with_anything_else(self, client, settings, change):
        query = {name: value for name, value in (RIGHT | change).items() if value is not None}

        answer = client.get(settings.WEBHOOK_PATH, query)

        assert (answer.status_code, answer.content) == (403, b"")

    def test_is_refused_to_everybody_while_no_token_is_configured(self, client, settings):
        settings.WEBHOOK_VERIFY_TOKEN = ""

        answer = client.get(settings.WEBHOOK_PATH, {**RIGHT, "hub.verify_token": ""})

        assert answer.status_code == 403

    @pytest.mark.parametrize("method", ["put", "patch", "delete"])
    def test_knows_no_other_methods(self, client, settings, method):
        assert getattr(client, method)(settings.WEBHOOK_PATH).status_code == 405

    def test_does_not_redirect_to_a_slash(self, client, settings):
        assert client.get(f"{settings.WEBHOOK_PATH}/", RIGHT).status_code == 404

    def test_needs_no_signature_but_a_post_does(self, client, settings, db, post: Post):
        assert client.get(settings.WEBHOOK_PATH, RIGHT).status_code == 200
        assert client.post(settings.WEBHOOK_PATH, b"{}", content_type="application/json").status_code == 401
