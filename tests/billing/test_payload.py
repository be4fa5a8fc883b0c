"""Times in the data of events end in `Z`; other texts stay as they are."""

import re

import pytest

from billing.models import Event
from billing.webhooks import payload
from tests.factories import UserFactory
from tests.rig import PROJECT

pytestmark = pytest.mark.django_db

PAGE = (PROJECT / "documentation" / "integrations" / "events.md").read_text()
# The names of all times in the tables of the page, with dots into objects.
TIMES = sorted(set(re.findall(r"^\| `([\w.]+)` \| timestamp\b", PAGE, re.MULTILINE)))
STORED = "2026-11-24T12:03:01.25+00:00"


def data_of(**data: object) -> dict:
    event = Event.objects.create(user_id=UserFactory().pk, type=Event.Type.MESSAGE_SENT, data=data)
    found: dict = payload.of(event)
    return found["data"]


@pytest.mark.parametrize("name", TIMES)
def test_every_documented_time_ends_in_z(name):
    outer, _, inner = name.partition(".")

    data = data_of(**{outer: {inner: STORED} if inner else STORED})

    assert (data[outer][inner] if inner else data[outer]) == "2026-11-24T12:03:01.25Z"


def test_time_in_a_list_of_objects_ends_in_z():
    assert data_of(media=[{"expires_at": STORED}]) == {"media": [{"expires_at": "2026-11-24T12:03:01.25Z"}]}


def test_what_a_customer_wrote_is_not_changed():
    data = {"text": STORED, "reason": STORED, "lead": {"demo_source_text": STORED, "name": STORED}}

    assert data_of(**data) == data


def test_documented_times_are_many():
    assert len(TIMES) >= 4
