"""What once went wrong, and must not again."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from agents import routing
from agents.registration import register
from billing import ledger
from conversations.leases import LeaseLostError
from conversations.models import Delivery
from tests.conversations import answering
from tests.factories import AgentFactory, CreditFactory, InboundMessageFactory


class TestLedger:
    def test_at_once_and_outside_a_transaction_takes_once_without_an_error(self, transactional_db):
        def charge(reference):
            try:
                ledger.charge(user_id=user_id, amount=1, reference=reference)
            finally:
                connection.close()

        user_id = CreditFactory(remaining_credits=100).user_id
        with ThreadPoolExecutor(8) as pool:
            for n in range(20):
                list(pool.map(charge, [f"turn {n}"] * 8))

        assert ledger._read_balance(user_id) == 80


@pytest.mark.long
class TestEmptyVariable:
    @pytest.mark.parametrize(
        "name", ["REPLY_DEBOUNCE", "APP_ENV", "LOG_FORMAT", "WEBHOOK_PATH", "DJANGO_DEBUG"]
    )
    def test_is_as_good_as_none(self, run_python, name):
        ended = run_python("manage.py", "check", **{"APP_ENV": "test", name: ""})

        assert ended.returncode == 0, ended.stderr[-300:]


class TestReplyText:
    @pytest.mark.parametrize("text", ["a\x00b", "a\ud83db"])
    def test_that_postgres_cannot_keep_is_sent_all_the_same(self, transactional_db, valkey, simulator, text):
        simulator.behave(statuses=False, openai={"latency": 0, "script": [{"text": text}]})
        agent = AgentFactory()
        InboundMessageFactory(customer__phone_number=agent.phone_number)

        answering.drain(agent.phone_number_id)

        assert Delivery.objects.get().state == "sent"


class TestStart:
    def test_in_production_with_nothing_set_lists_all_that_is_missing(self, run_python):
        ended = run_python("manage.py", "check", APP_ENV="production")

        for name in ("DJANGO_SECRET_KEY", "WEBHOOK_SECRET", "OPENAI_API_KEY", "DATABASE_URL"):
            assert f"{name} must be set" in ended.stderr

    def test_of_the_web_server_is_refused_with_a_secret_everybody_knows(self, run_python):
        ended = run_python(
            "-c", "import config.wsgi", APP_ENV="production", DJANGO_SECRET_KEY="k" * 60,
            WEBHOOK_SECRET="test-app-secret",
        )  # fmt: skip

        assert ended.returncode != 0

    def test_of_a_worker_is_refused_with_a_secret_everybody_knows(self, run_python):
        ended = run_python(
            "-m", "celery", "-A", "config", "worker", "-Q", "default",
            APP_ENV="production", DJANGO_SECRET_KEY="k" * 60, WEBHOOK_SECRET="test-app-secret",
        )  # fmt: skip

        assert ended.returncode != 0
        assert "WEBHOOK_SECRET" in ended.stderr


class TestRegistration:
    def test_of_a_deleted_number_brings_it_back(self, db, valkey):
        agent = AgentFactory(phone_number__deleted_at="2026-01-01T00:00Z", deleted_at="2026-01-01T00:00Z")

        register(
            user_id=agent.user_id, phone_number_id=agent.phone_number_id, external_number="+12025550100",
            access_token="token", prompt_id=agent.prompt_id, name="Test", fallback_message="",
        )  # fmt: skip

        assert routing.get(agent.phone_number_id) is not None


class TestLogs:
    def test_hide_a_phone_number_whatever_it_is_called(self, caplog):
        import structlog

        structlog.get_logger("room").warning("x", wa_id="12025550143")

        assert "12025550143" not in caplog.text


class TestDeadlineOfATurn:
    def test_that_passes_before_a_byte_leaves_leaves_the_delivery_pending(self, transactional_db, valkey):
        InboundMessageFactory(customer__phone_number=AgentFactory().phone_number)
        turn = answering.claim(InboundMessageFactory._meta.model.objects.get().phone_number_id)
        answering.store_reply(turn, text="Hi")
        turn.deadline = time.monotonic() - 1

        with pytest.raises(LeaseLostError):
            answering.deliver(turn)

        assert Delivery.objects.get().state == "pending"
