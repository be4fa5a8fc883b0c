"""Updates of the tables that every message writes: most write no index (HOT), and vacuum comes often."""

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from config.lib import sql
from config.lib.migrating import VACUUM_OFTEN
from conversations import events
from conversations.models import Delivery, Turn
from tests.conversations.test_events import told
from tests.factories import DeliveryFactory, TurnFactory
from tests.load.history import TABLES

CHANGED = (set(TABLES) | {"credits", "webhook_deliveries"}) - {"credit_entries"}
OPEN = {"pending", "sending"}


def updates(table: str) -> tuple[int, int]:
    """Return how many updates this transaction made to a table, and how many of them wrote no index."""
    row = sql.row(
        "SELECT n_tup_upd AS updates, n_tup_hot_upd AS hot FROM pg_stat_xact_user_tables WHERE relname = %s",
        [table],
    )
    assert row is not None
    return row["updates"], row["hot"]


def options(table: str) -> dict[str, float]:
    """Return the storage parameters of a table."""
    row = sql.row("SELECT reloptions FROM pg_class WHERE oid = %s::regclass", [table])
    assert row is not None
    pairs = (option.partition("=") for option in row["reloptions"] or ())
    return {name: float(value) for name, _, value in pairs}


@pytest.mark.parametrize("status", ["delivered", "read"])
def test_status_of_a_delivery_writes_no_index(db, status):
    delivery = DeliveryFactory(state="sent", provider_message_id="wamid.1", message__status="sent")
    told(delivery, status)
    before = {table: updates(table) for table in ("deliveries", "messages")}

    events.apply()

    for table, (made, hot) in before.items():
        now = updates(table)
        assert (now[0] - made, now[1] - hot) == (1, 1), table


def test_turn_that_is_answered_or_whose_lease_is_renewed_writes_no_index(db):
    turn = Turn.objects.filter(pk=TurnFactory().pk)
    made, hot = updates("turns")

    turn.update(lease_expires_at=timezone.now())
    turn.update(state="answered", answered_at=timezone.now())

    now = updates("turns")
    assert (now[0] - made, now[1] - hot) == (2, 2)


@pytest.mark.parametrize("state", Delivery.State.values)
def test_delivery_is_open_while_it_is_pending_or_sending(db, state):
    new, old = DeliveryFactory(state=state), DeliveryFactory(state="pending")
    Delivery.objects.filter(pk=old.pk).update(state=state)

    for delivery in (new, old):
        delivery.refresh_from_db()
        assert delivery.is_open == (state in OPEN)


@pytest.mark.parametrize("table", sorted({*TABLES, *CHANGED, "events"}))
def test_tables_of_every_message_are_vacuumed_often_and_leave_room_for_updates(db, table):
    found = options(table)

    assert {name: value for name, value in found.items() if name != "fillfactor"} == VACUUM_OFTEN
    assert (found["fillfactor"] < 100) == (table in CHANGED)


@pytest.mark.long
def test_deliveries_of_the_release_before_are_open_after_the_migration(transactional_db):
    executor = MigrationExecutor(connection)
    latest = executor.loader.graph.leaf_nodes()
    deliveries = {state: DeliveryFactory(state=state).pk for state in Delivery.State.values}
    try:
        executor.migrate([("conversations", "0013_failed_messages_by_number")])
        sql.execute("UPDATE deliveries SET error = 'written by the release before'")
    finally:
        MigrationExecutor(connection).migrate(latest)

    is_open = dict(Delivery.objects.values_list("pk", "is_open"))
    assert {state: is_open[pk] for state, pk in deliveries.items()} == {
        state: state in OPEN for state in Delivery.State.values
    }
