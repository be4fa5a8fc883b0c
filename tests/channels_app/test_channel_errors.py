"""Alarms of numbers are raised by transactions that hold other locks: they wait for nobody."""

import psycopg
from django.db import connection

from billing.models import Event
from channels_app import channel_errors
from tests.factories import PhoneNumberFactory


def test_number_that_is_locked_gets_its_alarm_by_the_next_failure(transactional_db, servers):
    number = PhoneNumberFactory()
    url = servers.database_url.replace("postgres://", "postgresql://").rsplit("/", 1)[0]
    error = {"phone_number_id": number.pk, "code": "131042", "reason": "no payment method"}

    with psycopg.connect(f"{url}/{connection.settings_dict['NAME']}") as other:
        other.execute("SELECT 1 FROM phone_numbers FOR SHARE")
        is_raised_meanwhile = channel_errors.record(**error)
    is_raised_afterwards = channel_errors.record(**error)

    assert (is_raised_meanwhile, is_raised_afterwards) == (False, True)
    assert Event.objects.filter(type="channel.error").count() == 1
