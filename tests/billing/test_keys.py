"""API keys are kept as hashes only."""

import hashlib

import pytest
from django.db import IntegrityError, connection

from billing import keys
from billing.models import ApiKey
from tests.factories import UserFactory


class TestNew:
    def test_is_different_each_time_and_names_what_it_is(self):
        made = {keys.new() for _ in range(100)}

        assert len(made) == 100
        assert all(key.startswith("mcak_") and len(key.split("_", 2)[2]) >= 43 for key in made)


class TestRegister:
    def test_keeps_the_prefix_and_the_hash(self, db):
        key = keys.new()

        kept = keys.register(key, user_id=UserFactory().user_id, name="shop")

        assert kept.prefix == key.split("_")[1]
        assert kept.hashed_key == hashlib.sha256(key.encode()).hexdigest()

    def test_keeps_nothing_the_key_could_be_read_from(self, db):
        key = keys.new()
        secret = key.split("_", 2)[2]

        keys.register(key, user_id=UserFactory().user_id, name="shop")

        with connection.cursor() as cursor:
            cursor.execute("SELECT api_keys::text FROM api_keys")
            [[row]] = cursor.fetchall()
        assert secret not in row

    def test_without_a_user_is_an_operator_key(self, db):
        kept = keys.register(keys.new(), user_id=None, name="operator")

        assert ApiKey.objects.get(pk=kept.pk).user is None

    def test_keeps_one_key_per_prefix(self, db):
        key = keys.new()
        keys.register(key, user_id=None, name="")

        with pytest.raises(IntegrityError):
            keys.register(key, user_id=None, name="again")
