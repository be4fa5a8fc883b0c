"""Regular checks of numbers at Graph."""

from datetime import timedelta

import pytest
from django.utils import timezone

from billing.models import Event
from channels_app import graph_health, number_checks
from channels_app.graph_health import GraphHealth
from channels_app.models import NumberCheck, PhoneNumber
from tests.factories import PhoneNumberFactory


@pytest.fixture
def number(transactional_db, valkey, simulator):
    return PhoneNumberFactory()


class TestDue:
    def test_numbers_are_checked_once_in_the_interval(self, number):
        PhoneNumberFactory(type="webchat", access_token="")
        PhoneNumberFactory(deleted_at=timezone.now())

        checked = [number_checks.check_due(), number_checks.check_due()]
        NumberCheck.objects.update(checked_at=timezone.now() - timedelta(hours=7))
        checked.append(number_checks.check_due())

        assert checked == [1, 0, 1]
        assert NumberCheck.objects.get().pk == number.pk

    def test_checks_can_be_switched_off(self, number, settings):
        settings.NUMBER_CHECK_HOURS = 0

        assert number_checks.check_due() == 0

    def test_one_run_is_bounded_and_the_next_takes_the_rest(self, number, monkeypatch):
        PhoneNumberFactory()
        monkeypatch.setattr(number_checks, "BATCH", 1)

        assert [number_checks.check_due() for _ in range(3)] == [1, 1, 0]

    def test_fault_is_told_to_the_business(self, number, simulator):
        simulator.behave(account={"token": "revoked"})

        number_checks.check_due()

        event = Event.objects.get(type="channel.error")
        assert (event.data["phone_number_id"], event.data["code"]) == (number.pk, "190")


class TestHealth:
    def test_token_that_is_missing_asks_nobody(self, number, settings):
        settings.WHATSAPP_API_BASE_URL = "http://127.0.0.1:1/v25.0"
        number.access_token = ""

        assert graph_health.read(number).error_code == "no_token"

    def test_number_that_graph_does_not_know(self, number):
        PhoneNumber.objects.filter(pk=number.pk).delete()
        strange = PhoneNumberFactory(phone_number_id="abc-def")

        assert graph_health.read(strange).error_code == "100"

    def test_what_was_stored_is_read_again_also_with_unknown_or_missing_fields(self):
        health = GraphHealth(quality_rating="RED", obstacles=("a",), is_subscribed=False)

        assert GraphHealth.from_json(health.as_json()) == health
        assert GraphHealth.from_json({"status": "X", "former": 1}) == GraphHealth(status="X")
