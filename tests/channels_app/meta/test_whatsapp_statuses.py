"""Statuses and the values around them are read the same with and without pydantic."""

import copy
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from channels_app.meta import body, whatsapp_schemas, whatsapp_statuses
from simulator import webhooks
from simulator.webhooks import Customer, Number
from tests.channels_app.meta.test_samples import READABLE
from tests.channels_app.meta.wire import sample

NOW = datetime(2026, 12, 1, tzinfo=UTC)
STATUS = webhooks.whatsapp_status(
    "delivered", message_id="wamid.1", customer=Customer(user_id="US.1"), callback_data="dlv_1"
)
VALUES = [
    change["value"]
    for each in [body.read(sample(name)) for name in READABLE]
    for entry in each.get("entry") or []
    for change in entry.get("changes") or []
    if change["field"] == "messages"
]
STATUSES = [STATUS, *(status for value in VALUES for status in value.get("statuses", []))]
JUNK: st.SearchStrategy[object] = st.sampled_from(
    [
        None,
        True,
        0,
        7,
        1.5,
        10**400,
        "",
        "+",
        "+4915",
        "x" * 50,
        "x" * 51,
        "x" * 151,
        "x" * 700,
        [],
        {},
        [None],
    ]
)
MEMBERS = (
    "id", "status", "timestamp", "recipient_id", "recipient_user_id", "recipient_type", "errors",
    "biz_opaque_callback_data", "metadata", "contacts", "phone_number_id", "display_phone_number", "wa_id",
    "user_id", "profile", "name", "username",
)  # fmt: skip


def objects(value):
    """Return an object and all objects in it."""
    if isinstance(value, dict):
        return [value, *(found for child in value.values() for found in objects(child))]
    return [found for child in value for found in objects(child)] if isinstance(value, list) else []


@st.composite
def mutated(draw, values):
    value = copy.deepcopy(draw(st.sampled_from(values)))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(objects(value)))
        name = draw(st.sampled_from(sorted({*place, *MEMBERS})))
        if draw(st.booleans()):
            # A copy: the same object put into itself would have no end.
            place[name] = copy.deepcopy(draw(JUNK))
        else:
            place.pop(name, None)
    return value


def validated(read, value):
    try:
        return read(value)
    except ValidationError:
        return None


class TestStatus:
    @settings(max_examples=300, deadline=None)
    @given(item=mutated(STATUSES))
    def test_is_read_as_pydantic_would(self, item):
        plain = whatsapp_statuses._plain(item)

        assert plain is None or plain == validated(whatsapp_statuses._validated, item)

    @pytest.mark.parametrize("status", ["sent", "delivered", "read", "played"])
    def test_of_the_ordinary_form_needs_no_pydantic(self, status):
        assert whatsapp_statuses._plain(STATUS | {"status": status}) is not None


class TestValue:
    @settings(max_examples=300, deadline=None)
    @given(value=mutated(VALUES))
    def test_is_read_as_pydantic_would(self, value):
        plain = whatsapp_schemas._plain(value)

        assert plain is None or plain == validated(whatsapp_schemas._validated, value)

    def test_of_the_ordinary_form_needs_no_pydantic(self):
        document = webhooks.whatsapp_statuses([STATUS], customer=Customer(user_id="US.1"), number=Number())

        assert whatsapp_schemas._plain(document["entry"][0]["changes"][0]["value"]) is not None
