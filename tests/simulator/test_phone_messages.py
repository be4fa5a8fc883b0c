"""Everything the phone sends is what the service's own parser understands."""

from datetime import UTC, datetime

import pytest
import requests

from channels_app.meta import instagram, whatsapp

pytestmark = pytest.mark.long

NUMBER = "109876543210987"
ACCOUNT = "17841400000000001"
PLACE = {"kind": "location", "latitude": 19.4, "longitude": -99.1, "name": "Café"}
FILES = ("image", "video", "audio", "voice", "document")


def told(simulator, *, channel="whatsapp", by_business=False, messages):
    """Deliver, and read what came as the service does."""
    sender = "+12025550143" if channel == "whatsapp" else "8123"
    outcome = simulator.deliver(
        channel=channel, messages=messages, by_business=by_business, **{"from": sender}
    )
    assert outcome["status"] == 200
    parse = whatsapp.parse if channel == "whatsapp" else instagram.parse
    parsed = parse(simulator.receiver.bodies()[-1], now=datetime.now(UTC))
    assert parsed.problems == []
    return parsed


class TestWhatsApp:
    @pytest.mark.parametrize(
        ("item", "kind", "text"),
        [
            ({"kind": "text", "text": "Hi"}, "text", "Hi"),
            *(({"kind": kind, "media_id": "img1"}, kind, "") for kind in (*FILES, "sticker")),
            ({"kind": "image", "media_id": "img1", "caption": "This?"}, "image", "This?"),
            (PLACE, "location", "Location: Café (19.4, -99.1)"),
            (
                {"kind": "contact", "name": "Marta Gil", "phone": "+1 2"},
                "contacts",
                "Contact: Marta Gil, +1 2",
            ),
            ({"kind": "button", "id": "sat", "title": "Saturday"}, "choice", "Saturday"),
            ({"kind": "row", "title": "Rye", "description": "1 kg"}, "choice", "Rye\n1 kg"),
        ],
    )
    def test_says(self, simulator, item, kind, text):
        parsed = told(simulator, messages=[item | {"reply_to": "wamid.earlier"}])

        [inbound] = parsed.inbound
        assert (inbound.kind, inbound.text, inbound.quoted_id) == (kind, text, "wamid.earlier")
        assert inbound.person.wa_id == "12025550143"
        assert inbound.phone_number_id == NUMBER

    @pytest.mark.parametrize(
        ("item", "kind", "data"),
        [
            ({"kind": "reaction", "emoji": "👍"}, "reaction", {"emoji": "👍"}),
            ({"kind": "reaction", "emoji": ""}, "reaction", {"emoji": ""}),
            ({"kind": "edit", "text": "Two loaves"}, "edit", {"text": "Two loaves"}),
            ({"kind": "delete"}, "revoke", {}),
        ],
    )
    def test_does(self, simulator, item, kind, data):
        parsed = told(simulator, messages=[item | {"message_id": "wamid.1"}])

        [event] = parsed.events
        assert (event.kind, event.provider_message_id, event.data) == (kind, "wamid.1", data)

    def test_echoes_a_person(self, simulator):
        parsed = told(simulator, by_business=True, messages=[{"kind": "text", "text": "Ana here"}])

        [event] = parsed.events
        assert (event.kind, event.data["text"], event.person.wa_id) == ("echo", "Ana here", "12025550143")


class TestInstagram:
    @pytest.mark.parametrize(
        ("item", "kind", "text"),
        [
            ({"kind": "text", "text": "Hi"}, "text", "Hi"),
            *(({"kind": kind, "media_id": "img1"}, kind, "") for kind in FILES if kind != "voice"),
            ({"kind": "voice", "media_id": "img1"}, "audio", ""),
            ({"kind": "quick_reply", "text": "Saturday", "payload": "SAT"}, "choice", "Saturday"),
            ({"kind": "story", "text": "Rye?"}, "story_reply", "Rye?"),
        ],
    )
    def test_says(self, simulator, item, kind, text):
        parsed = told(simulator, channel="instagram", messages=[item])

        [inbound] = parsed.inbound
        assert (inbound.kind, inbound.text, inbound.person.ig_id) == (kind, text, "8123")
        assert inbound.phone_number_id == ACCOUNT

    def test_files_lie_where_the_service_finds_them(self, simulator):
        parsed = told(simulator, channel="instagram", messages=[{"kind": "image", "media_id": "img1"}])

        [media] = parsed.inbound[0].media
        assert media.url.startswith(simulator.url)
        assert requests.get(media.url, timeout=60).headers["content-type"] == "image/png"

    def test_does(self, simulator):
        [said] = told(simulator, channel="instagram", messages=[{"kind": "text", "text": "One"}]).inbound
        about = {"message_id": said.provider_message_id}

        kinds = []
        for item in (
            {"kind": "reaction", "emoji": "❤️"}, {"kind": "reaction"},
            {"kind": "edit", "text": "Two"}, {"kind": "edit", "text": "Three"}, {"kind": "delete"},
        ):  # fmt: skip
            [event] = told(simulator, channel="instagram", messages=[item | about]).events
            kinds.append((event.kind, event.key.rpartition(":")[2] if event.kind == "edit" else ""))

        assert kinds == [("reaction", ""), ("reaction", ""), ("edit", "1"), ("edit", "2"), ("revoke", "")]

    def test_echoes_a_person(self, simulator):
        messages = [{"kind": "text", "text": "Ana here"}]

        parsed = told(simulator, channel="instagram", by_business=True, messages=messages)

        [event] = parsed.events
        assert (event.kind, event.data["text"], event.person.ig_id) == ("echo", "Ana here", "8123")


class TestNonsense:
    @pytest.mark.parametrize(
        "order",
        [
            {"messages": []},
            {"messages": ["Hi"]},
            {"messages": [{"kind": "fax"}]},
            {"messages": [{"kind": "text"}]},
            {"messages": [{"kind": "text", "text": 1}]},
            {"messages": [{"kind": "text", "text": "Hi", "colour": "red"}]},
            {"messages": [{"kind": "location", "latitude": 91, "longitude": 0}]},
            {"messages": [{"kind": "location"}], "channel": "instagram"},
            {"messages": [{"kind": "delete", "message_id": "1"}], "by_business": True},
        ],
    )
    def test_is_refused(self, simulator, order):
        answer = requests.post(f"{simulator.url}/_simulator/deliver", json=order, timeout=60)

        assert answer.status_code == 400
        assert answer.json()["error"]
