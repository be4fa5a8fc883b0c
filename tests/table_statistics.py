"""What Postgres knows of its tables when it plans: kept apart from what other tests left there."""

from django.db import connection

from tests.factories import CustomerFactory, InboundMessageFactory


def forget_statistics() -> None:
    """Delete the statistics of all tables of our own, as after the first `migrate`, until the test ends."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL allow_system_table_mods = on")
        cursor.execute(
            "DELETE FROM pg_statistic WHERE starelid IN (SELECT oid FROM pg_class"
            " WHERE relnamespace = 'public'::regnamespace)"
        )


def let_everything_wait() -> None:
    """Make statistics of a moment at which each message of the inbox waited for its reply."""
    customer = CustomerFactory()
    InboundMessageFactory.create_batch(300, customer=customer, phone_number=customer.phone_number)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE inbound_messages")
