import pytest

from billing.webhooks import endpoints
from tests.billing.receiver import Receiver
from tests.factories import UserFactory


@pytest.fixture
def receiver(settings, transactional_db, valkey):
    settings.WEBHOOK_ENDPOINTS_PRIVATE = True
    with Receiver() as running:
        yield running


@pytest.fixture
def endpoint(receiver):
    """An endpoint at the receiver; `plain` is its secret."""
    made, made.plain = endpoints.create(user_id=UserFactory().user_id, url=receiver.url)
    return made
