"""Messages that wait in the inbox: where they are listed, and that an agent answers them later."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import keys
from tests.api.caller import Caller
from tests.factories import AgentFactory, CustomerFactory, InboundMessageFactory, PhoneNumberFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def number(user):
    return PhoneNumberFactory(user=user)


def wrote(number, **changes):
    return InboundMessageFactory(customer=CustomerFactory(phone_number=number), **changes)


def listed(caller, number, query="") -> dict:
    answer = caller.get(f"/users/{number.user_id}/phone_numbers/{number.pk}/waiting_messages{query}")
    assert answer.status_code == 200, answer.content
    return answer.json()


class TestWaitingMessages:
    def test_message_to_a_number_without_an_agent_is_shown(self, business, number):
        file = {"kind": "image", "media_id": "1", "url": "https://x/?token=secret", "filename": "a.png"}
        message = wrote(number, text="Is anybody there?", media=[file])

        [shown] = listed(business, number)["data"]

        assert shown["inbound_id"] == message.pk
        assert shown["customer"]["customer_id"] == message.customer_id
        assert shown["customer_phone"] == message.customer.wa_id
        assert shown["phone_number_id"] == number.pk
        assert (shown["text"], shown["reason"]) == ("Is anybody there?", "no_agent")
        assert shown["media"] == [{"kind": "image", "mime_type": "", "filename": "a.png"}]
        assert shown["timestamp"]
        assert shown["received_at"]

    def test_message_that_an_agent_is_about_to_answer_is_queued(self, business, number):
        AgentFactory(phone_number=number)
        wrote(number)

        assert [row["reason"] for row in listed(business, number)["data"]] == ["queued"]

    @pytest.mark.parametrize("status", ["processing", "done", "failed", "rejected", "ignored"])
    def test_message_that_no_longer_waits_is_not_shown(self, business, number, status):
        wrote(number, status=status)

        assert listed(business, number)["data"] == []

    def test_newest_come_first_page_by_page(self, business, number):
        rows = [wrote(number).pk for _ in range(3)]

        first = listed(business, number, "?limit=2")
        second = listed(business, number, f"?limit=2&cursor={first['next_cursor']}")

        pages = [[row["inbound_id"] for row in page["data"]] for page in (first, second)]
        assert pages == [[rows[2], rows[1]], [rows[0]]]
        assert second["next_cursor"] is None

    def test_a_page_takes_as_many_statements_for_many_messages_as_for_one(self, business, number):
        counts = []
        for _ in range(3):
            wrote(number)
            with CaptureQueriesContext(connection) as queries:
                listed(business, number)
            counts.append(len(queries))

        # The first call notes that the key is used.
        assert counts[1] == counts[2]

    def test_messages_of_other_numbers_are_not_shown(self, business, number, user):
        wrote(PhoneNumberFactory(user=user))
        wrote(PhoneNumberFactory())

        assert listed(business, number)["data"] == []

    def test_number_of_another_business_or_a_deleted_one_does_not_exist(self, business, number, user):
        theirs = PhoneNumberFactory()
        deleted = PhoneNumberFactory(user=user, deleted_at="2026-01-01T00:00Z")

        for one in (theirs, deleted):
            answer = business.get(f"/users/{user.user_id}/phone_numbers/{one.pk}/waiting_messages")
            assert answer.status_code == 404

    def test_restricted_key_sees_its_number_only(self, valkey, number, user):
        other = PhoneNumberFactory(user=user)
        wrote(number), wrote(other)
        key = keys.create(user_id=user.user_id, name="one", phone_number_ids=[number.pk])[1]

        assert len(listed(Caller(key), number)["data"]) == 1
        answer = Caller(key).get(f"/users/{user.user_id}/phone_numbers/{other.pk}/waiting_messages")
        assert answer.status_code == 404
