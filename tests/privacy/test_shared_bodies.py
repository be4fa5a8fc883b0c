"""One customer is taken out of a body that several share."""

import json

import pytest

from channels_app import shared_bodies, spool
from simulator import webhooks
from tests.factories import PhoneNumberFactory
from tests.privacy import person

NEEDLES = [person.PHONE]


@pytest.fixture
def number(db):
    return PhoneNumberFactory()


class TestBodies:
    def test_others_messages_and_their_frame_stay(self, number):
        olaf = webhooks.Customer(wa_id="12025550001", name="Olaf", user_id=None)
        both = person.shared(person.webhook(number, "mine"), person.webhook(number, "theirs", person=olaf))

        left = json.loads(shared_bodies.without(both, NEEDLES, source="meta"))

        assert left["object"] == "whatsapp_business_account"
        assert "theirs" in json.dumps(left)
        assert "mine" not in json.dumps(left)
        assert person.PHONE not in json.dumps(left)

    def test_two_messages_of_one_change_are_told_apart(self, number):
        body = json.loads(person.webhook(number, "mine"))
        value = body["entry"][0]["changes"][0]["value"]
        value["messages"].append({**value["messages"][0], "from": "12025550001", "id": "wamid.other"})

        left = json.loads(shared_bodies.without(json.dumps(body).encode(), NEEDLES, source="meta"))

        [message] = left["entry"][0]["changes"][0]["value"]["messages"]
        assert message["id"] == "wamid.other"

    def test_nothing_is_left_of_a_body_of_theirs_alone(self, number):
        assert shared_bodies.without(person.webhook(number, "mine"), NEEDLES, source="meta") is None

    def test_body_that_cannot_be_read_goes_as_a_whole(self):
        assert shared_bodies.without(b"{" + person.PHONE.encode(), NEEDLES, source="meta") is None

    def test_visitors_message_goes_as_a_whole(self):
        raw = json.dumps({"visitor_id": "vis-zoe", "text": "mine"}).encode()

        assert shared_bodies.without(raw, ["vis-zoe"], source=spool.WEBCHAT) is None

    def test_id_is_found_in_the_way_json_writes_it(self):
        raw = b'{"from":"usr\\/zo\\u00eb"}'

        assert shared_bodies.names(raw, ["usr/zoë"])
        assert not shared_bodies.names(raw, ["usr/zoe"])
