import pytest

from tests.api import caller
from tests.factories import CreditFactory


@pytest.fixture
def user(db):
    return CreditFactory(remaining_credits=100).user


@pytest.fixture
def operator(db, valkey):
    return caller.operator()


@pytest.fixture
def business(user, valkey):
    """Somebody with a key of `user`."""
    return caller.business(user.user_id)
