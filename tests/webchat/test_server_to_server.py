"""A business's own server writes in its visitors' name, signed with its chat's own secret."""

import hashlib
import hmac
import json
import time

import pytest
from django.conf import settings

from billing.models import Credit
from channels_app.models import InboundMessage
from channels_app.webchat import chats, limits
from tests.factories import PhoneNumberFactory
from tests.webchat.browser_calls import web_chat
from tests.webchat.server_calls import post_signed, server_message

pytestmark = pytest.mark.django_db


class TestServer:
    def test_writes_for_a_customer(self, chat):
        answer = post_signed(server_message(chat), chat.new_secret)

        row = InboundMessage.objects.get()
        assert (answer.status_code, answer.content) == (200, b"")
        assert (row.phone_number_id, row.text, row.status) == (chat.pk, "Do you bake rye bread?", "pending")
        assert row.customer.address == "srv-+12025550123"

    def test_writes_once(self, chat):
        assert [post_signed(server_message(chat), chat.new_secret).status_code for _ in range(3)] == [
            200,
            200,
            200,
        ]
        assert InboundMessage.objects.count() == 1

    def test_is_told_when_there_are_no_credits(self, chat):
        Credit.objects.update(remaining_credits=0)

        answer = post_signed(server_message(chat), chat.new_secret)

        assert (answer.status_code, answer.json()["code"]) == (402, "insufficient_credits")
        assert not InboundMessage.objects.exists()

    def test_is_not_told_that_what_was_kept_was_not(self, chat):
        first = post_signed(server_message(chat), chat.new_secret)
        Credit.objects.update(remaining_credits=0)
        chats.change(phone_number_id=chat.pk, daily_limit=1)

        again = post_signed(server_message(chat), chat.new_secret)

        assert (first.status_code, again.status_code) == (200, 200)

    def test_is_stopped_when_it_is_too_much(self, chat):
        chats.change(phone_number_id=chat.pk, daily_limit=1)

        answers = [
            post_signed(server_message(chat, message_id=f"question-{n}"), chat.new_secret) for n in range(2)
        ]

        assert [answer.status_code for answer in answers] == [200, 429]
        assert int(answers[1]["Retry-After"]) > 0

    @pytest.mark.parametrize(
        ("changes", "status"),
        [
            ({"timestamp": -290}, 200),
            ({"timestamp": -310}, 400),
            ({"timestamp": 310}, 400),
            ({"timestamp": "1790251200"}, 400),
            ({"timestamp": 1e300}, 400),
            ({"timestamp": 10**400}, 400),
            ({"timestamp": -(10**400)}, 400),
            ({"timestamp": True}, 400),
            ({"message_id": "short"}, 400),
            ({"message_id": None}, 400),
            ({"message_text": " "}, 400),
            ({"message_text": "x" * 4097}, 400),
            ({"customer_phone": ""}, 400),
            ({"customer_phone": "a b"}, 400),
            ({"platform_type": "whatsapp"}, 400),
            ({"more": 1}, 400),
        ],
    )
    def test_writes_what_is_documented_and_now(self, chat, changes, status):
        """A small timestamp is one from now."""
        moment = changes.get("timestamp")
        if isinstance(moment, int) and not isinstance(moment, bool) and abs(moment) < 1000:
            changes = {"timestamp": int(time.time()) + moment}

        answer = post_signed(server_message(chat, **changes), chat.new_secret)

        assert answer.status_code == status
        assert InboundMessage.objects.count() == (status == 200)


class TestSignature:
    def test_of_another_is_refused(self, chat):
        other, old = web_chat(), chat.new_secret
        chats.rotate_secret(phone_number_id=chat.pk)
        wrong = {
            "Meta's": settings.WEBHOOK_SECRETS[0],
            "another chat's": other.new_secret,
            "replaced": old,
            "empty": "",
        }

        answers = {
            what: post_signed(server_message(chat), secret).status_code for what, secret in wrong.items()
        }

        assert answers == dict.fromkeys(wrong, 401)
        assert not InboundMessage.objects.exists()

    def test_is_good_for_its_own_chat_only(self, chat):
        other = web_chat()
        whatsapp = PhoneNumberFactory(user=chat.phone_number.user)

        for number in (other.pk, whatsapp.pk, "web_nobody", None, 7):
            assert (
                post_signed(server_message(chat, phone_number_id=number), chat.new_secret).status_code == 401
            )

    def test_of_a_chat_is_not_metas(self, chat):
        body = {"object": "whatsapp_business_account", "entry": []}

        assert post_signed(body, chat.new_secret).status_code == 401
        assert post_signed(server_message(chat) | body, chat.new_secret).status_code == 401

    def test_is_over_the_bytes_as_they_came(self, chat):
        raw = json.dumps(server_message(chat)).encode()
        signature = "sha256=" + hmac.new(chat.new_secret.encode(), raw, hashlib.sha256).hexdigest()

        answer = post_signed(raw + b" ", "any", **{"X-Hub-Signature-256": signature})

        assert answer.status_code == 401

    def test_of_a_deleted_chat_is_refused(self, chat):
        from agents import removal

        removal.remove(phone_number_id=chat.pk)

        assert chats.known(chat.pk).secret == ""
        assert post_signed(server_message(chat), chat.new_secret).status_code == 401


class TestUnsigned:
    """Bodies that may be server messages cost nothing before they have a signature."""

    def test_is_refused_before_it_is_parsed(self, chat, django_assert_num_queries):
        raw = json.dumps(server_message(chat)).encode()

        with django_assert_num_queries(0):
            answers = [
                post_signed(raw, "any", **{"X-Hub-Signature-256": given})
                for given in ("", "sha256=", "x" * 71)
            ]

        assert [answer.status_code for answer in answers] == [401] * 3

    def test_is_refused_without_a_query_after_too_many_wrong_signatures(
        self, chat, monkeypatch, django_assert_num_queries
    ):
        monkeypatch.setattr(limits, "REFUSALS_BY_ADDRESS", 2)
        first = [post_signed(server_message(chat), "wrong").status_code for _ in range(2)]

        with django_assert_num_queries(0):
            refused = post_signed(server_message(chat), "wrong")

        assert first == [401, 401]
        assert refused.status_code == 429
        assert int(refused["Retry-After"]) > 0

    def test_of_one_address_does_not_stop_another(self, chat, settings, monkeypatch):
        settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}
        monkeypatch.setattr(limits, "REFUSALS_BY_ADDRESS", 1)

        statuses = [
            post_signed(server_message(chat), secret, **{"X-Forwarded-For": address}).status_code
            for secret, address in [
                ("wrong", "203.0.113.7"), ("wrong", "203.0.113.7"), (chat.new_secret, "203.0.113.8"),
            ]
        ]  # fmt: skip

        assert statuses == [401, 429, 200]

    def test_of_meta_with_the_word_is_not_stopped(self, chat, monkeypatch):
        monkeypatch.setattr(limits, "REFUSALS_BY_ADDRESS", 0)
        body = {"object": "whatsapp_business_account", "entry": [], "platform_type": "x"}

        assert post_signed(body, settings.WEBHOOK_SECRETS[0]).status_code == 200

    def test_signed_messages_are_not_counted(self, chat, monkeypatch):
        monkeypatch.setattr(limits, "REFUSALS_BY_ADDRESS", 1)

        answers = [
            post_signed(server_message(chat, message_id=f"question-{n}"), chat.new_secret) for n in range(3)
        ]

        assert [answer.status_code for answer in answers] == [200] * 3


class TestMetasWebhooks:
    def test_may_hold_the_word(self, chat):
        body = {"object": "whatsapp_business_account", "entry": [], "note": "platform_type"}

        assert post_signed(body, settings.WEBHOOK_SECRETS[0]).status_code == 200

    def test_cannot_speak_for_a_visitor(self, chat):
        forged = {
            "object": "webchat", "phone_number_id": chat.pk, "visitor_id": "vis-victim",
            "message_id": "message-1", "text": "Hello", "sent_at": "2026-11-24T12:00:00Z",
        }  # fmt: skip

        post_signed(forged, settings.WEBHOOK_SECRETS[0])

        assert not InboundMessage.objects.exists()
