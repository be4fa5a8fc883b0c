"""The erasure of a customer leaves nothing of them, and nothing brings it back."""

import json
import time
from datetime import timedelta

import pytest
from django.apps import apps
from django.core.files.storage import default_storage
from django.utils import timezone

from agents import llm, openai_client
from agents.openai_client import ConversationLostError
from billing import reconciliation
from billing.models import AuditEntry, CreditEntry, Event, WebhookDelivery
from channels_app import ingest, spool_drain
from channels_app.models import ChannelEvent, Customer, DeadLetter, InboundMessage, Tombstone
from config.lib import event_loop, redis
from conversations import replay
from conversations.models import Conversation, Message, PendingDeletion
from privacy import erasure
from privacy.models import Erasure
from privacy.registry import TABLES, OnErasure
from tests.privacy import person

SOURCE = Erasure.Source.COMMAND


def erase(customer) -> Erasure:
    return erasure.run(erasure.begin(customer_id=customer.pk, source=SOURCE).pk)


def settle(row: Erasure) -> Erasure:
    """Let the time pass after which an erasure has settled, and go on with it."""
    Erasure.objects.filter(pk=row.pk).update(requested_at=row.requested_at - timedelta(minutes=2))
    PendingDeletion.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    return erasure.run(row.pk)


class TestRegistry:
    def test_every_table_is_named_with_what_an_erasure_does_to_it(self):
        tables = {model._meta.db_table for model in apps.get_models()}

        assert tables == set(TABLES)

    def test_every_table_that_holds_anything_of_a_customer_is_filled_by_these_tests(self, filled):
        holding = {name for name, table in TABLES.items() if table.on_erasure is not OnErasure.KEPT}
        # It names an event only, which goes with it.
        by_reference = {"webhook_deliveries"}

        assert set(person.mentioning(filled.needles)) | by_reference == holding
        assert WebhookDelivery.objects.exists()


class TestErasing:
    def test_nothing_of_the_person_is_left_in_any_table(self, filled, openai):
        done = settle(erase(filled.customer))

        assert person.mentioning(filled.needles) == {}
        assert (done.state, done.subject, done.error) == ("done", "", "")
        assert not WebhookDelivery.objects.exists()

    def test_nothing_is_left_in_the_spool_and_others_words_stay(self, filled, openai):
        erase(filled.customer)

        left = person.spooled()
        assert [needle for needle in filled.needles if needle in left] == []
        assert "Olaf's words" in left
        assert "Olaf's words" in bytes(DeadLetter.objects.get().raw).decode()

    def test_dead_letter_of_several_customers_can_still_be_replayed_for_the_others(self, filled, openai):
        erase(filled.customer)

        replay.dead_letters(DeadLetter.objects.all())
        spool_drain.drain()

        assert set(InboundMessage.objects.values_list("text", flat=True)) == {"Olaf's words"}
        assert Customer.objects.get() == filled.other

    def test_files_and_openais_copy_are_deleted(self, filled, openai):
        copy_id = event_loop.run(llm.create_conversation(metadata={}, deadline=time.monotonic() + 10))
        items = {"items": [{"role": "user", "content": person.WORDS}] * 3}
        event_loop.run(
            openai_client.call(
                "POST", f"/conversations/{copy_id}/items", body=items, deadline=time.monotonic() + 10
            )
        )
        Conversation.objects.update(openai_conversation_id=copy_id)
        erase(filled.customer)

        deleted = [
            entry["path"].removeprefix("/v1")
            for entry in openai.requests(api="openai")
            if entry["method"] == "DELETE" and entry["status"] == 200
        ]
        assert not default_storage.exists(person.FILE)
        assert len([path for path in deleted if path.startswith(f"/conversations/{copy_id}/items/")]) == 3
        assert deleted[-1] == f"/conversations/{copy_id}"
        with pytest.raises(ConversationLostError):
            event_loop.run(
                openai_client.call("GET", f"/conversations/{copy_id}", deadline=time.monotonic() + 10)
            )

    def test_ledger_keeps_the_money_and_adds_up(self, filled, openai):
        before = list(CreditEntry.objects.order_by("pk").values("kind", "amount", "balance_after"))

        erase(filled.customer)

        assert list(CreditEntry.objects.order_by("pk").values("kind", "amount", "balance_after")) == before
        assert reconciliation.faults(user_id=filled.agent.user_id) == []

    def test_receipt_counts_what_was_deleted_and_says_who_and_when(self, filled, openai):
        row = settle(erase(filled.customer))

        assert row.counts | {"openai_conversation": 1} == row.counts
        for table in (
            "messages",
            "deliveries",
            "turns",
            "conversations",
            "extractions",
            "customers",
            "events",
        ):
            assert row.counts[table] >= 1, table
        assert row.counts["dead_letters_changed"] == row.counts["dead_letters_deleted"] == 1
        assert row.finished_at > row.requested_at
        assert row.actor
        assert AuditEntry.objects.get(action="customer.erased").object_id == filled.customer.pk

    def test_is_done_once_however_often_it_is_asked_for(self, filled, openai):
        first = erasure.begin(customer_id=filled.customer.pk, source=SOURCE)
        erasure.run(first.pk)
        counts = settle(first).counts

        again = erasure.begin(customer_id=filled.customer.pk, source=SOURCE)

        assert again.pk == first.pk
        assert erasure.run(first.pk).counts == counts

    def test_unknown_customer_is_refused(self, transactional_db, valkey):
        with pytest.raises(Customer.DoesNotExist):
            erasure.begin(customer_id="cus_unknown", source=SOURCE)

    def test_others_of_the_number_keep_everything(self, filled, openai):
        erase(filled.customer)

        assert Customer.objects.filter(pk=filled.other.pk, name="Olaf").exists()


class TestComingBack:
    def test_replay_of_the_same_webhook_brings_nothing_back(self, filled, openai):
        settle(erase(filled.customer))
        spool_drain.drain()

        for raw in filled.raws:
            assert ingest.take(raw, now=timezone.now()).messages == 0

        assert person.mentioning(filled.needles) == {}
        assert not Message.objects.exists()

    def test_late_status_of_an_erased_reply_is_not_stored(self, filled, openai):
        settle(erase(filled.customer))
        spool_drain.drain()
        number = filled.agent.phone_number_id
        status = {
            "id": person.SENT_WAMID, "status": "read", "timestamp": str(int(timezone.now().timestamp())),
            "recipient_id": person.PHONE,
        }  # fmt: skip
        value = {
            "messaging_product": "whatsapp",
            "metadata": {"phone_number_id": number},
            "statuses": [status],
        }
        body = {
            "object": "whatsapp_business_account",
            "entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}],
        }

        assert ingest.take(json.dumps(body).encode(), now=timezone.now()).events == 0
        assert not ChannelEvent.objects.exists()

    def test_person_who_writes_anew_is_a_new_customer(self, filled, openai):
        settle(erase(filled.customer))
        spool_drain.drain()
        later = int(timezone.now().timestamp()) + 60

        ingest.take(
            person.webhook(filled.agent.phone_number, "Hello again", timestamp=later),
            now=timezone.now() + timedelta(minutes=2),
        )

        row = Customer.objects.get(wa_id=person.PHONE)
        assert row.pk != filled.customer.pk
        assert [message.text for message in row.inbox.all()] == ["Hello again"]

    def test_tombstones_hold_no_address(self, filled, openai):
        erase(filled.customer)

        assert Tombstone.objects.count() > 3
        assert all(len(stone.digest) == 64 for stone in Tombstone.objects.all())

    def test_key_that_was_rotated_out_of_first_place_still_knows_them(self, filled, openai, settings):
        settle(erase(filled.customer))
        spool_drain.drain()
        settings.FIELD_ENCRYPTION_KEYS = [
            "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=",
            *settings.FIELD_ENCRYPTION_KEYS,
        ]

        assert ingest.take(filled.raws[0], now=timezone.now()).messages == 0


class TestOutages:
    def test_openai_that_is_away_does_not_stop_the_rest_and_is_tried_until_it_is_done(self, filled, openai):
        openai.behave(conversations={"errors": {"503": 1.0}})
        first = settle(erase(filled.customer))
        left = PendingDeletion.objects.get(kind="openai_conversation")

        openai.behave(conversations={"errors": {}})
        done = settle(first)

        assert (first.state, first.error) == ("running", "1 deletions elsewhere are left")
        assert left.attempts >= 1
        assert not Conversation.objects.exists()
        assert not default_storage.exists(person.FILE)
        assert (done.state, PendingDeletion.objects.count()) == ("done", 0)

    def test_redis_that_is_away_is_waited_for(self, filled, openai):
        row = erasure.begin(customer_id=filled.customer.pk, source=SOURCE)
        for _ in range(3):
            redis.breaker.failed()
        away = settle(row)
        redis.breaker.succeeded()

        assert (away.state, away.error) == ("running", "redis")
        assert settle(row).state == "done"

    def test_erasure_that_fails_holds_up_no_other(self, filled, openai):
        broken = Erasure.objects.create(
            customer_id="cus_broken", phone_number_id="1", source="api", actor="x", subject="v1.unknown.x"
        )
        erasure.begin(customer_id=filled.customer.pk, source=SOURCE)

        erasure.run_due()

        broken.refresh_from_db()
        assert "DecryptionError" in broken.error
        assert broken.due_at > timezone.now()
        assert not Message.objects.exists()

    def test_erasure_that_was_interrupted_is_gone_on_with(self, filled, openai):
        row = erasure.begin(customer_id=filled.customer.pk, source=SOURCE)

        assert erasure.due() == [row.pk]
        erasure.run(row.pk)
        assert erasure.due() == []
        assert not Event.objects.exists()
