from datetime import UTC, datetime, timedelta

import pytest

from tests.factories import (
    AgentFactory,
    ConversationFactory,
    CustomerFactory,
    MessageFactory,
    PhoneNumberFactory,
)

pytestmark = pytest.mark.django_db

DAY = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def conversation(user):
    agent = AgentFactory(phone_number=PhoneNumberFactory(user=user))
    return ConversationFactory(agent=agent, customer=CustomerFactory(phone_number=agent.phone_number))


def ask(business, user, query=""):
    return business.get(f"/users/{user.user_id}/usage?{query}")


class TestUsage:
    def test_is_counted_by_day_and_number(self, business, user, conversation):
        MessageFactory(conversation=conversation, author="customer", status="delivered", timestamp=DAY)
        MessageFactory(conversation=conversation, status="sent", timestamp=DAY, tokens_used=7)
        MessageFactory(conversation=conversation, author="staff", timestamp=DAY + timedelta(days=1))
        MessageFactory(timestamp=DAY)

        answer = ask(business, user, "since=2026-03-10&until=2026-03-11")

        told = answer.json()
        number = conversation.customer.phone_number_id
        assert answer.status_code == 200
        assert told["totals"] == {
            "messages_received": 1,
            "replies_sent": 1,
            "staff_messages": 1,
            "tokens_used": 7,
            "credits_used": 0,
        }  # fmt: skip
        assert [(day["date"], day["phone_number_id"]) for day in told["data"]] == [
            ("2026-03-10", number),
            ("2026-03-11", number),
        ]
        assert (told["since"], told["until"]) == ("2026-03-10", "2026-03-11")

    def test_can_be_of_one_number(self, business, user, conversation):
        MessageFactory(conversation=conversation, status="sent", timestamp=DAY)
        other = PhoneNumberFactory(user=user)
        span = "since=2026-03-10&until=2026-03-10&phone_number_id="

        mine = ask(business, user, span + conversation.customer.phone_number_id).json()["data"]
        none = ask(business, user, span + other.phone_number_id).json()["data"]

        assert (len(mine), none) == (1, [])

    def test_is_of_the_last_thirty_days_unless_told(self, business, user):
        told = ask(business, user).json()

        today = datetime.now(tz=UTC).date()
        assert (told["since"], told["until"]) == ((today - timedelta(days=29)).isoformat(), today.isoformat())

    def test_shows_nothing_on_numbers_of_others(self, business, user):
        other = MessageFactory(timestamp=DAY)

        told = ask(
            business, user, f"since=2026-03-10&until=2026-03-10&phone_number_id={other.phone_number_id}"
        )

        assert told.json()["data"] == []

    @pytest.mark.parametrize(
        ("query", "status"),
        [
            ("since=2026-01-01&until=2026-04-02", 200),
            ("since=2026-01-01&until=2026-04-03", 422),
            ("since=2026-01-02&until=2026-01-01", 422),
            ("until=0001-01-01", 422),
            ("until=9999-12-31", 422),
            ("since=0001-01-01&until=2000-01-01", 422),
            ("since=yesterday", 400),
            ("since=2026-01-01T00:00:00Z", 400),
            ("days=7", 400),
        ],
    )
    def test_is_of_a_span_that_can_be_counted(self, business, user, query, status):
        answer = ask(business, user, query)

        assert answer.status_code == status
        if status == 422:
            assert answer.json()["code"] == "span_out_of_range"
