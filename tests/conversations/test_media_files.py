"""Files that are opened: from the storage, or fetched from the channel when first wanted."""

import base64
import time

import pytest
import requests
from django.core.files.storage import default_storage
from django.utils import timezone

from channels_app.media import FileMissingError
from channels_app.models import PhoneNumber
from config.lib.errors import UnavailableError
from conversations import media_files
from conversations.answering import attachments
from conversations.models import Message
from simulator.graph_media import TINY_PNG
from tests.channels_app.senders.local_server import always, serving
from tests.factories import ConversationFactory, MessageFactory

pytestmark = pytest.mark.usefixtures("media_storage")

DOCX = b"PK\3\4 a document of a word processor"


def put(simulator, media_id: str, data: bytes) -> None:
    file = {"id": media_id, "mime_type": "application/octet-stream", "data": base64.b64encode(data).decode()}
    requests.post(f"{simulator.url}/_simulator/media", json=file, timeout=60).raise_for_status()


def message_with(*media: dict[str, str], **changes) -> Message:
    return MessageFactory(
        conversation=ConversationFactory(), author="customer", sequence_no=1, media=list(media), **changes
    )


def opened(message: Message, index: int = 0) -> tuple[bytes, str, str]:
    found = media_files.open_media(message, index)
    with found.file as file:
        return file.read(), found.content_type, found.filename


def names(message: Message) -> list[str]:
    """Return the names of the files in the storage that belong to the number of a message."""
    return default_storage.listdir(message.phone_number_id)[1]


@pytest.mark.django_db
class TestFetching:
    def test_file_is_fetched_from_the_channel_once(self, simulator):
        message = message_with({"kind": "image", "media_id": "img-1", "mime_type": "image/png"})

        first = opened(message)
        second = opened(Message.objects.get())

        assert first == second == (TINY_PNG, "image/png", "image.png")
        assert len(simulator.requests(api="graph", path="/v25.0/img-1")) == 1
        assert len(names(message)) == 1

    def test_document_of_any_type_is_a_download_under_its_own_name(self, simulator):
        put(simulator, "77", DOCX)
        message = message_with({"kind": "document", "media_id": "77", "filename": "Angebot.docx"})

        assert opened(message) == (DOCX, "application/octet-stream", "Angebot.docx")
        assert Message.objects.get().media[0]["name"].endswith(".bin")

    def test_picture_that_is_something_else_is_missing_for_good(self, simulator):
        put(simulator, "78", b"<svg onload='alert(1)'/>")
        message = message_with({"kind": "image", "media_id": "78"})

        with pytest.raises(FileMissingError):
            opened(message)
        with pytest.raises(FileMissingError):
            opened(Message.objects.get())

        assert Message.objects.get().media[0]["missing"] == "wrong_type"
        assert len(simulator.requests(api="graph", path="/v25.0/78")) == 1

    def test_file_that_the_channel_no_longer_has_is_marked(self, simulator):
        message = message_with({"kind": "video", "media_id": "nothing"})

        with pytest.raises(FileMissingError):
            opened(message)

        assert not media_files.is_available(Message.objects.get().media[0])

    def test_token_that_was_refused_may_be_replaced_and_the_file_fetched_then(self, simulator):
        message = message_with({"kind": "image", "media_id": "img-1"})
        with serving(always({"error": {"code": 190}}, status=401)) as graph:
            PhoneNumber.objects.update(api_base_url=graph.url)
            with pytest.raises(FileMissingError):
                opened(message)
        PhoneNumber.objects.update(api_base_url="")

        assert opened(Message.objects.get())[0] == TINY_PNG

    def test_channel_that_is_away_is_worth_another_try(self, settings):
        settings.WHATSAPP_API_BASE_URL = "http://127.0.0.1:9"
        message = message_with({"kind": "image", "media_id": "img-1"})

        with pytest.raises(UnavailableError):
            opened(message)

        assert Message.objects.get().media == [{"kind": "image", "media_id": "img-1"}]

    def test_web_thread_waits_for_a_free_place_and_no_longer(self, monkeypatch):
        monkeypatch.setattr(media_files, "QUEUE_SECONDS", 0.01)
        message = message_with({"kind": "image", "media_id": "img-1"})
        for _ in range(media_files.FETCHES):
            media_files._fetches.acquire()
        try:
            with pytest.raises(UnavailableError):
                opened(message)
        finally:
            for _ in range(media_files.FETCHES):
                media_files._fetches.release()

    def test_message_that_was_taken_back_meanwhile_leaves_no_file(
        self, simulator, django_capture_on_commit_callbacks
    ):
        message = message_with({"kind": "image", "media_id": "img-1"})
        Message.objects.update(deleted_at=timezone.now(), media=[])

        with django_capture_on_commit_callbacks(execute=True), pytest.raises(FileMissingError):
            opened(message)

        assert names(message) == []

    def test_of_two_that_fetch_at_once_the_first_file_stays(
        self, simulator, django_capture_on_commit_callbacks
    ):
        message = message_with({"kind": "image", "media_id": "img-1"})
        other = Message.objects.get()
        opened(other)

        with django_capture_on_commit_callbacks(execute=True):
            opened(message)

        assert [f"{message.phone_number_id}/{name}" for name in names(message)] == [
            Message.objects.get().media[0]["name"]
        ]


@pytest.mark.django_db(transaction=True)
class TestTurns:
    def test_voice_note_that_somebody_heard_before_is_written_down_for_the_model(self, simulator):
        put(simulator, "79", b"OggS voice")
        message = message_with({"kind": "voice", "media_id": "79"})
        opened(message)
        message.refresh_from_db()

        number = PhoneNumber.objects.get(pk=message.phone_number_id)
        attachments.prepare([message], number, time.monotonic() + 60)

        stored = Message.objects.get().media[0]
        assert stored["transcript"]
        assert len(simulator.requests(api="graph", path="/v25.0/79")) == 1

    def test_voice_note_that_could_not_be_written_down_can_be_heard(self, simulator):
        put(simulator, "80", b"OggS voice")
        message = message_with({"kind": "voice", "media_id": "80"})
        simulator.behave(openai={"latency": 0, "errors": {"400": 1}})

        number = PhoneNumber.objects.get(pk=message.phone_number_id)
        attachments.prepare([message], number, time.monotonic() + 60)

        stored = Message.objects.get()
        assert "transcript" not in stored.media[0]
        assert opened(stored)[0] == b"OggS voice"
