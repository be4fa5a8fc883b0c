"""Prefixed, time-ordered ids."""

import time
from datetime import timedelta

from django.utils import timezone

from config.lib import ids


class TestNew:
    def test_begins_with_the_prefix(self):
        made = ids.new("trn")

        prefix, _, rest = made.partition("_")
        assert (prefix, len(rest)) == ("trn", 26)

    def test_sorts_by_its_time_of_birth(self):
        made = []
        for _ in range(20):
            made.append(ids.new("trn"))
            time.sleep(0.002)

        assert made == sorted(made)

    def test_is_never_made_twice(self):
        assert len({ids.new("trn") for _ in range(10_000)}) == 10_000


class TestFirst:
    def test_sorts_between_what_was_made_before_and_after(self):
        made, moment = ids.new("trn"), timezone.now()

        assert ids.first("trn", moment - timedelta(seconds=1)) < made
        assert made < ids.first("trn", moment + timedelta(seconds=1))
