"""Files of customers in the admin: drawn in the chat, served to those who may read the conversation."""

import pytest
from django.contrib.admin.utils import quote
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.urls import reverse

from config.admin.buttons import admin_url
from config.admin.middleware import POLICY
from conversations.models import Message
from simulator.graph_media import TINY_PNG
from tests import factories
from tests.admin.conftest import furnish
from tests.admin.test_escaping import HOSTILE, Markup

pytestmark = pytest.mark.usefixtures("media_storage")

HTML = b"<!doctype html><script>alert(1)</script>"


def stored(content: bytes = TINY_PNG, *, extension: str = ".png", kind: str = "image", **more) -> dict:
    return {"kind": kind, "name": default_storage.save(f"1/f{extension}", ContentFile(content)), **more}


def put(message: Message, *media: dict) -> Message:
    message.media = list(media)
    message.save()
    return message


def address(message: Message, index: int = 0, *, conversation_id: str = "") -> str:
    arguments = [quote(conversation_id or message.conversation_id), message.pk, index]
    return reverse("admin:conversations_conversation_file", args=arguments)


def chat(client, house) -> str:
    return client.get(admin_url(house.talk)).content.decode()


def drawn(content: str) -> list[tuple[str, str]]:
    """Return the elements of the page that show a file, with their addresses."""
    elements = Markup(content).elements
    named = [(tag, attributes.get("src") or attributes.get("href") or "") for tag, attributes in elements]
    return [(tag, url) for tag, url in named if "/files/" in url]


class TestChat:
    @pytest.mark.parametrize(
        ("kind", "extension", "elements"),
        [
            ("image", ".png", ["a", "img"]),
            ("sticker", ".webp", ["a", "img"]),
            ("voice", ".ogg", ["audio"]),
            ("audio", ".mp3", ["audio"]),
            ("video", ".mp4", ["video"]),
            ("document", ".pdf", ["a"]),
        ],
    )
    def test_shows_each_kind_of_file(self, house, people, kind, extension, elements):
        put(house.question, stored(extension=extension, kind=kind))

        found = drawn(chat(people.support, house))

        assert found == [(element, address(house.question)) for element in elements]

    def test_shows_files_that_have_still_to_be_fetched(self, house, people):
        put(house.question, {"kind": "image", "media_id": "img-1"})

        assert ("img", address(house.question)) in drawn(chat(people.support, house))

    @pytest.mark.parametrize("status", Message.Status.values)
    def test_shows_files_whatever_became_of_the_message(self, house, people, status):
        Message.objects.filter(pk=house.question.pk).update(
            status=status,
            media=[stored()],
            failed_at=house.soon if status == "failed" else None,
            unknown_at=house.soon if status == "unknown" else None,
        )

        assert ("img", address(house.question)) in drawn(chat(people.support, house))

    @pytest.mark.parametrize(
        ("missing", "reason"),
        [
            ({"missing": "gone", "media_id": "1"}, "it is no longer available"),
            ({"missing": "too_large", "media_id": "1"}, "it is too large"),
            ({"missing": "wrong_type", "media_id": "1"}, "its type is not supported"),
            ({"error": "a file on a foreign host"}, "it is no longer available"),
        ],
    )
    def test_says_why_a_file_is_missing(self, house, people, missing, reason):
        put(house.question, {"kind": "document", "filename": "offer.pdf", **missing})

        content = " ".join(chat(people.support, house).split())

        assert f"offer.pdf</span> cannot be shown: {reason}." in content
        assert drawn(content) == []

    def test_shows_the_transcript_of_a_voice_note_below_it(self, house, people):
        put(house.question, stored(kind="voice", extension=".ogg", transcript="Two loaves, please"))

        assert "Two loaves, please" in chat(people.support, house)

    @pytest.mark.parametrize("value", HOSTILE)
    @pytest.mark.parametrize("kind", ["image", "voice", "video", "document", "none"])
    def test_hostile_names_are_text(self, house, people, kind, value):
        entry = stored(kind=kind, filename=value, transcript=value, mime_type=value)
        put(house.question, entry, {"kind": kind, "filename": value, "missing": value}, {value: value})

        content = chat(people.support, house)

        assert Markup(content).faults == []
        assert "evaluated-hostile" not in content


class TestServing:
    def test_staff_who_may_read_conversations_get_the_file(self, house, people):
        put(house.question, stored())

        answer = people.support.get(address(house.question))

        assert (answer.status_code, answer.getvalue()) == (200, TINY_PNG)
        assert answer["Content-Type"] == "image/png"
        assert "no-store" in answer["Cache-Control"]

    def test_nobody_else_does(self, house, people, client):
        put(house.question, stored())

        assert people.nobody.get(address(house.question)).status_code == 403
        assert client.get(address(house.question)).status_code == 302
        assert client.get(address(house.question)).url.startswith("/admin/login/")

    def test_policy_of_a_file_allows_nothing_and_that_of_the_pages_stays(self, house, people):
        put(house.question, stored(HTML, extension=".html", kind="document", filename="a.html"))

        answer = people.support.get(address(house.question))

        assert answer["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
        assert answer["Content-Type"] == "application/octet-stream"
        assert answer["Content-Disposition"].startswith("attachment")
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert people.support.get(admin_url(house.talk))["Content-Security-Policy"] == POLICY

    def test_file_belongs_to_its_conversation(self, house, people):
        put(house.question, stored())
        other = furnish(name="Other")

        for where in (other.talk.pk, "cnv_none"):
            answer = people.support.get(address(house.question, conversation_id=where))
            assert answer.status_code == 404

    @pytest.mark.parametrize("index", [1, 99])
    def test_place_without_a_file_is_not_found(self, house, people, index):
        put(house.question, stored())

        answer = people.support.get(address(house.question, index))

        assert (answer.status_code, answer["Content-Type"]) == (404, "text/plain; charset=utf-8")

    def test_file_that_the_storage_lost_is_named_in_words(self, house, people):
        put(house.question, {"kind": "image", "name": "1/lost.png"})

        answer = people.support.get(address(house.question))

        assert (answer.status_code, answer.content) == (404, b"The file is no longer available.")

    def test_file_of_a_message_that_was_taken_back_is_gone(self, house, people):
        put(house.question, stored())
        Message.objects.update(deleted_at=house.soon)

        assert people.support.get(address(house.question)).status_code == 404

    def test_channel_that_is_away_is_named_in_words(self, house, people, settings):
        settings.WHATSAPP_API_BASE_URL = "http://127.0.0.1:9"
        talk = factories.ConversationFactory()
        message = factories.MessageFactory(
            conversation=talk, author="customer", sequence_no=1, media=[{"kind": "image", "media_id": "1"}]
        )

        answer = people.support.get(address(message))

        assert answer.status_code == 503
        assert b"Try again" in answer.content


class TestNumberPage:
    def test_says_that_customers_wait_and_no_agent_answers(self, people, db):
        number = factories.PhoneNumberFactory()
        waiting = factories.InboundMessageFactory(customer=factories.CustomerFactory(phone_number=number))
        factories.InboundMessageFactory()

        content = people.support.get(admin_url(number)).content.decode()

        assert "No agent: put one on this number" in content
        query = f"?phone_number_id__exact={number.pk}&status__exact=pending"
        listed = f"/admin/channels_app/inboundmessage/{query}"
        assert listed.replace("&", "&amp;") in content
        found = people.support.get(listed).context["cl"].result_list
        assert [row.pk for row in found] == [waiting.pk]

    def test_links_to_the_agent(self, house, people):
        content = people.support.get(admin_url(house.number)).content.decode()

        assert admin_url(house.agent) in content
        assert "no agent: put one" not in content
