import pytest

from billing.webhooks import delivery, endpoints
from tests.billing.receiver import Receiver
from tests.factories import UserFactory


@pytest.fixture
def receiver(settings, transactional_db, valkey, monkeypatch):
    settings.WEBHOOK_ENDPOINTS_PRIVATE = True
    # On a busy machine a quick answer may take seconds. Tests of either limit set it.
    monkeypatch.setattr(delivery, "SLICE", 600)
    monkeypatch.setattr(delivery, "SLOW_AFTER", 600)
    with Receiver() as running:
        yield running


@pytest.fixture
def endpoint(receiver):
    """An endpoint at the receiver; `plain` is its secret."""
    made, made.plain = endpoints.create(user_id=UserFactory().user_id, url=receiver.url)
    return made
