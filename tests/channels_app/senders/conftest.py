from functools import partial

import pytest

from channels_app.senders.contract import Outgoing, Seen


@pytest.fixture
def outgoing():
    """Make a message, with changes."""
    return partial(
        Outgoing,
        phone_number_id="109876543210987",
        access_token="token",
        wa_id="12025550143",
        bsuid=None,
        ig_id="8123456789012345",
        text="Hello",
        callback_data="dlv_1",
        timeout=60.0,
    )


@pytest.fixture
def seen():
    """Make a message that was seen, with changes."""
    return partial(
        Seen,
        phone_number_id="109876543210987",
        access_token="token",
        provider_message_id="wamid.x",
        ig_id="8123456789012345",
    )


@pytest.fixture
def sends(simulator):
    """Give what was posted to Graph, as method, path and body."""
    return lambda: [(entry["path"], entry["body"]) for entry in simulator.requests(api="graph")]
