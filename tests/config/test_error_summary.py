"""An unexpected error is named without its message (config/lib/errors.py)."""

import pytest
from django.db import IntegrityError, transaction

from config.lib.errors import summary
from tests.factories import CustomerFactory


class TestSummary:
    def test_of_an_integrity_error_names_constraint_and_place_and_quotes_nothing(self, db):
        CustomerFactory(phone_number_id="1", phone_number=None, wa_id="12025550143")

        with pytest.raises(IntegrityError) as error, transaction.atomic():
            CustomerFactory(phone_number_id="1", phone_number=None, wa_id="12025550143")

        assert "12025550143" in str(error.value)
        words = summary(error.value).split()
        assert words[:4] == ["IntegrityError", "23505", "customers_one_per_wa_id", "at"]
        # Tests record locks, by a function around the cursor's.
        assert words[4].startswith("tests/lock_order.py:")

    def test_of_any_other_error_names_type_and_place(self):
        with pytest.raises(KeyError) as error:
            {}["my secret"]

        assert summary(error.value).startswith("KeyError at tests/config/test_error_summary.py:")

    def test_of_an_error_that_was_never_raised_names_its_type(self):
        assert summary(ValueError("my secret")) == "ValueError"
