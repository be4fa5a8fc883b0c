"""What a business used, day by day."""

from datetime import UTC, date, datetime

import pytest

from billing import ledger
from billing.models import CreditEntry
from channels_app.models import Customer
from config.lib.tenancy import TenantMissingError
from conversations import usage
from tests.factories import AgentFactory, ConversationFactory, MessageFactory, TurnFactory

MONDAY, TUESDAY = date(2026, 11, 23), date(2026, 11, 24)


@pytest.fixture
def conversation(db):
    agent = AgentFactory()
    return ConversationFactory(agent=agent, customer__phone_number=agent.phone_number)


def at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)


def said(conversation, when: datetime, **message):
    return MessageFactory(conversation=conversation, timestamp=when, **message)


def turn(conversation, when: datetime):
    """Make a turn, charged at that time; the line is made anew, since no line may be changed."""
    made = TurnFactory(conversation=conversation, state="done")
    enter("charge", -1, made.turn_id, conversation.user_id, when)
    return made


def enter(kind: str, amount: int, reference: str, user_id: str, when: datetime) -> None:
    line = CreditEntry(kind=kind, amount=amount, reference=reference, user_id=user_id, balance_after=9)
    CreditEntry._meta.get_field("created_at").auto_now_add = False
    try:
        line.created_at = when
        line.save()
    finally:
        CreditEntry._meta.get_field("created_at").auto_now_add = True


def daily(conversation, since=MONDAY, until=TUESDAY, **more) -> list[dict]:
    return usage.daily(user_id=conversation.user_id, since=since, until=until, **more)


class TestMessages:
    def test_are_counted_by_day_and_by_who_said_them(self, conversation):
        said(conversation, at(MONDAY, 0), author="customer")
        said(conversation, at(MONDAY, 23, 59), author="customer")
        said(conversation, at(TUESDAY, 0), author="ai", status="sent", tokens_used=30)
        said(conversation, at(TUESDAY, 9), author="ai", status="failed", tokens_used=12)
        said(conversation, at(TUESDAY, 9), author="staff", status="read")

        monday, tuesday = daily(conversation)

        number = conversation.customer.phone_number_id
        assert monday == {
            "day": MONDAY,
            "phone_number_id": number,
            "messages_received": 2,
            "replies_sent": 0,
            "staff_messages": 0,
            "tokens_used": 0,
            "credits_used": 0,
        }
        assert tuesday == {
            "day": TUESDAY,
            "phone_number_id": number,
            "messages_received": 0,
            "replies_sent": 1,
            "staff_messages": 1,
            "tokens_used": 42,
            "credits_used": 0,
        }

    def test_of_other_days_and_businesses_are_left_out(self, conversation):
        said(conversation, at(date(2026, 11, 22), 23, 59))
        said(conversation, at(date(2026, 11, 25), 0))
        said(ConversationFactory(), at(MONDAY, 12))

        assert daily(conversation) == []

    def test_of_each_number_stand_apart_and_can_be_asked_for_alone(self, conversation):
        other = AgentFactory(phone_number__user=conversation.user)
        second = ConversationFactory(agent=other, customer__phone_number=other.phone_number)
        said(conversation, at(MONDAY, 12)), said(second, at(MONDAY, 12))

        both = {row["phone_number_id"] for row in daily(conversation)}
        [one] = daily(conversation, phone_number_id=other.phone_number_id)

        assert both == set(Customer.objects.values_list("phone_number_id", flat=True))
        assert (one["phone_number_id"], one["replies_sent"]) == (other.phone_number_id, 1)


class TestCredits:
    def test_are_charges_less_what_came_back(self, conversation):
        kept, returned = turn(conversation, at(MONDAY, 9)), turn(conversation, at(MONDAY, 10))
        enter("charge", -1, f"{kept.turn_id}/2", conversation.user_id, at(MONDAY, 11))
        enter("refund", 1, returned.turn_id, conversation.user_id, at(TUESDAY, 9))

        assert [row["credits_used"] for row in daily(conversation)] == [3, -1]

    def test_do_not_include_grants_and_corrections(self, conversation):
        turn(conversation, at(MONDAY, 9))
        ledger.adjust(user_id=conversation.user_id, amount=-3, reference="a", reason="test", actor="ann")

        assert sum(row["credits_used"] for row in daily(conversation, until=date(2100, 1, 1))) == 1

    def test_of_long_ago_are_not_counted(self, conversation):
        turn(conversation, at(date(2026, 10, 1), 9))
        turn(conversation, at(MONDAY, 9))

        assert [row["credits_used"] for row in daily(conversation)] == [1]

    def test_can_be_asked_for_one_number(self, conversation):
        turn(conversation, at(MONDAY, 9))

        number = conversation.customer.phone_number_id
        assert [row["credits_used"] for row in daily(conversation, phone_number_id=number)] == [1]
        assert daily(conversation, phone_number_id="another") == []


class TestTenant:
    def test_must_be_named(self):
        with pytest.raises(TenantMissingError):
            usage.daily(user_id="", since=MONDAY, until=TUESDAY)
