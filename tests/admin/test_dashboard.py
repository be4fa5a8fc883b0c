"""The dashboard's figures, and that each is read by an index and none is waited for."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from agents.models import ModelShutdown
from billing.models import Credit
from config.admin import dashboard
from config.admin.buttons import admin_url
from config.lib import redis
from tests import factories
from tests.admin.conftest import furnish
from tests.table_statistics import forget_statistics


def figures(response) -> dict[str, str]:
    return {card["title"]: card["figure"] for card in response.context["figures"]}


class TestDashboard:
    def test_counts_what_waits(self, people, valkey):
        customer = factories.CustomerFactory()
        for _ in range(3):
            factories.InboundMessageFactory(customer=customer)

        response = people.operators.get("/admin/")

        assert figures(response)["Waiting messages"] == "3"
        assert "the oldest since" in response.context["figures"][0]["note"]

    def test_counts_turns_people_and_empty_accounts(self, people, valkey):
        house = furnish()
        factories.TurnFactory()
        house.customer.paused_until = timezone.now() + timedelta(hours=1)
        house.customer.save()
        house.talk.handover_at = timezone.now()
        house.talk.save()
        factories.CreditFactory(remaining_credits=0)

        shown = figures(people.operators.get("/admin/"))

        assert shown["Open turns"] == "1"
        assert shown["Paused customers"] == "1"
        assert shown["Asked for a person"] == "1"
        assert int(shown["Out of credits"]) == Credit.objects.filter(remaining_credits=0).count()

    def test_lists_models_in_use_that_openai_shuts_down(self, people, valkey):
        version = factories.PromptVersionFactory(model="gpt-old")
        factories.AgentFactory(phone_number__user=version.prompt.user, prompt_id=version.prompt_id)
        today = timezone.now().date()
        ModelShutdown.objects.create(model="gpt-old", shutdown_on=today + timedelta(days=11))
        ModelShutdown.objects.create(model="gpt-unused", shutdown_on=today)

        response = people.support.get("/admin/")

        assert [row["model"] for row in response.context["ending_models"]] == ["gpt-old"]
        content = response.content.decode()
        assert "gpt-old" in content
        assert "1 business" in content

    def test_lists_messages_of_unknown_outcome_with_links(self, people, valkey):
        house = furnish()
        lost = factories.MessageFactory(
            conversation=house.talk, status="unknown", unknown_at=timezone.now(), failure_reason="no answer",
            sequence_no=4,
        )  # fmt: skip

        response = people.support.get("/admin/")

        assert figures(response)["Unknown outcome"] == "1"
        assert [row["message_id"] for row in response.context["unknown_messages"]] == [lost.pk]
        assert admin_url(lost) in response.content.decode()
        listed = people.support.get("/admin/conversations/message/?status__exact=unknown")
        assert lost.pk in listed.content.decode()

    def test_lists_numbers_on_which_customers_wait_for_an_agent(self, people, valkey):
        house = furnish(name="Bakery")
        silent = factories.PhoneNumberFactory(display_name="Silent shop")
        for number in (silent, silent, house.number):
            factories.InboundMessageFactory(customer=factories.CustomerFactory(phone_number=number))

        response = people.support.get("/admin/")

        found = response.context["unanswered_numbers"]
        assert [(row["phone_number_id"], row["messages"]) for row in found] == [(silent.pk, 2)]
        content = response.content.decode()
        assert admin_url(silent) in content
        assert "2 waiting messages" in content

    def test_names_who_asked_for_a_person(self, people, valkey):
        house = furnish(text="wants a human")
        house.talk.handover_at = timezone.now()
        house.talk.save()

        assert "wants a human" in people.support.get("/admin/").content.decode()

    def test_counts_messages_by_the_hour(self, people, valkey):
        furnish()

        hours = people.support.get("/admin/").context["hours"]

        assert len(hours) == 24
        assert hours[-1]["count"] == 3
        assert hours[-1]["height"] == 100
        assert sum(hour["count"] for hour in hours) == 3

    def test_counts_failures_of_the_last_day_by_reason(self, people, valkey):
        talk = factories.ConversationFactory()
        lately = timezone.now() - timedelta(hours=1)
        before = timezone.now() - timedelta(hours=30)
        for number, at in enumerate([lately, lately, before], start=1):
            factories.MessageFactory(
                conversation=talk, status="failed", failed_at=at, failure_reason="blocked", sequence_no=number
            )

        assert people.support.get("/admin/").context["failures"] == [{"reason": "blocked", "count": 2}]

    def test_opens_while_redis_is_away(self, people):
        for _ in range(3):
            redis.breaker.failed()

        response = people.operators.get("/admin/")
        redis.breaker.succeeded()

        assert response.status_code == 200
        assert len(response.context["hours"]) == 24

    def test_leaves_out_what_takes_too_long(self, people, valkey, monkeypatch):
        monkeypatch.setattr(dashboard, "_PATIENCE", "50ms")
        monkeypatch.setattr(dashboard, "_OPEN_TURNS", "SELECT 1 AS count FROM pg_sleep(5)")

        response = people.operators.get("/admin/")

        assert figures(response)["Open turns"] == "-"

    @pytest.mark.parametrize(
        ("statement", "index"),
        [
            ("_WAITING", "inbound_waiting_by"),
            ("_OPEN_TURNS", "turns_o"),
            ("_PAUSED", "customers_paused"),
            ("_HANDED_OVER", "conversations_asking_for_staff"),
            ("_HANDOVERS_SQL", "conversations_asking_for_staff"),
            ("_MESSAGES", "messages_pkey"),
            ("_FAILURES", "messages_failed_lately"),
        ],
    )
    def test_reads_indexes(self, statement, index, db):
        forget_statistics()
        # Of empty tables all indexes cost the same.
        conversation = factories.ConversationFactory()
        factories.MessageFactory.create_batch(50, conversation=conversation, status="failed")
        parameters = {"most": 10, "first": "msg_0", "end": "msg_1", "since": timezone.now()}
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE messages")
            cursor.execute(f"EXPLAIN {getattr(dashboard, statement)}", parameters)
            plan = "\n".join(row[0] for row in cursor.fetchall())

        assert index in plan, plan
        assert "Seq Scan" not in plan
