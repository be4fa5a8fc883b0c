"""The command that makes a key."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from billing import keys
from billing.models import ApiKey
from tests.factories import PhoneNumberFactory, UserFactory


def made(*arguments: str) -> str:
    printed = StringIO()
    call_command("create_api_key", *arguments, stdout=printed)
    return printed.getvalue().strip()


class TestCommand:
    def test_prints_a_key_of_an_operator(self, db):
        row = keys.find(made("--name", "laptop"), now=timezone.now())

        assert (row.user, row.name, row.expires_at) == (None, "laptop", None)

    def test_prints_a_key_of_a_business_that_expires(self, db):
        user = UserFactory()

        key = made("--user", user.user_id, "--expires-in-days", "2")

        assert keys.find(key, now=timezone.now() + timedelta(days=1)).user == user
        assert keys.find(key, now=timezone.now() + timedelta(days=3)) is None

    def test_prints_a_key_with_fewer_rights(self, db):
        number = PhoneNumberFactory()

        key = made("--user", number.user_id, "--scope", "read", "--phone-number-id", number.pk)

        row = keys.find(key, now=timezone.now())
        assert (row.scope, row.phone_number_ids) == ("read", [number.pk])
        assert row.created_by == "command:create_api_key"

    @pytest.mark.parametrize(
        "arguments",
        [
            ("--user", "usr_none"),
            ("--user", ""),
            ("--phone-number-id", "1"),
            ("--scope", "x"),
            *(("--expires-in-days", days) for days in ("0", "-1", "x")),
        ],
    )
    def test_refuses_what_makes_no_sense(self, db, arguments):
        with pytest.raises(CommandError):
            made(*arguments)

        assert not ApiKey.objects.exists()
