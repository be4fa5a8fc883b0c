"""Lists of customers, and lists by customer, are read by an index."""

import pytest
from django.db import connection

from conversations import customers, listing
from tests.factories import CustomerFactory, PhoneNumberFactory
from tests.load.filling import fill


def plan(rows) -> str:
    """Return how Postgres would find the rows if reading a whole table cost too much."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    return rows.explain()


@pytest.fixture
def filled(db):
    found = fill("usr_1", count=20_000)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE customers SET external_id = 'e' || wa_id")
        cursor.execute("""
            INSERT INTO customers (customer_id, phone_number_id, wa_id, username, name, created_at)
            SELECT 'cus_' || lpad(n::text, 8, '0'), 'usr_1-n' || n % 20, 'w' || n, '', '', now()
              FROM generate_series(1, 30000) AS n
        """)
        cursor.execute("ANALYZE conversations, messages, customers")
    return found


def test_list_of_customers_is_read_in_the_order_of_an_index(filled):
    found = plan(customers.of("usr_1").order_by("-phone_number_id", "-customer_id")[:51])

    assert "customers_by_number" in found
    assert "Sort" not in found


def test_customers_are_found_by_their_external_id_through_an_index(filled):
    assert "customers_by_external_id" in plan(customers.of("usr_1").filter(external_id="e7"))


@pytest.mark.parametrize("filters", [{"external_id": "e7"}, {"customer_id": "usr_1-u7"}])
def test_lists_by_customer_look_through_that_customer_s_rows_only(filled, filters):
    talks = listing.conversations(user_id="usr_1", **filters)
    messages = listing.messages(user_id="usr_1", **filters)

    assert "conversations_by_customer" in plan(talks.rows.order_by(*talks.order)[:51])
    assert "messages_sequence_once_per_conversation" in plan(messages.rows.order_by(*messages.order)[:51])
    assert talks.rows.count() == 1
    assert messages.rows.count() > 0


def test_customers_of_no_business_are_not_found(db):
    with pytest.raises(ValueError, match="whose rows"):
        customers.find(user_id="", external_id="cust-77")


def test_customers_of_unregistered_numbers_belong_to_nobody(db):
    number = PhoneNumberFactory()
    CustomerFactory(phone_number_id="106540352242922", phone_number=None, external_id="cust-77")

    assert customers.find(user_id=number.user_id, external_id="cust-77") == []
