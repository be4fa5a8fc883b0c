"""Files of messages: signed links, whom they lead to which file, and how a file is served."""

from datetime import timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.core import signing
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone

from billing import keys
from conversations import media_links
from simulator.graph_media import TINY_PNG
from tests.api.caller import Caller
from tests.factories import (
    AgentFactory,
    ConversationFactory,
    CustomerFactory,
    MessageFactory,
    PhoneNumberFactory,
)

pytestmark = pytest.mark.django_db
PDF = b"%PDF-1.7 ..."
HTML = b"<!doctype html><script>alert(1)</script>"
SVG = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"
NOBODY = Caller()


@pytest.fixture(autouse=True)
def _file_outside(media_storage):
    (media_storage.parent / "secret.png").write_bytes(b"outside")


def stored(content: bytes = TINY_PNG, *, extension: str = ".png", **entry: str) -> dict[str, str]:
    """Return an entry of `media` whose file is stored."""
    name = default_storage.save(f"1/file{extension}", ContentFile(content))
    return {"kind": "image", "name": name, **entry}


def message_with(*media: dict[str, str], user=None, **changes):
    more = {"user": user} if user else {}
    number = PhoneNumberFactory(**more)
    talk = ConversationFactory(
        agent=AgentFactory(phone_number=number), customer=CustomerFactory(phone_number=number)
    )
    return MessageFactory(conversation=talk, author="customer", sequence_no=1, media=list(media), **changes)


def shown(caller: Caller, message) -> list[dict]:
    return caller.get(f"/users/{message.user_id}/messages/{message.pk}").json()["media"]


def download(url: str, **headers: str):
    parts = urlsplit(url)
    return NOBODY.get(f"{parts.path}?{parts.query}", **headers)


def changed(url: str, **query: str) -> str:
    parts = urlsplit(url)
    given = {name: values[0] for name, values in parse_qs(parts.query).items()}
    return parts._replace(query=urlencode(given | query)).geturl()


def link_to(message, index: int = 0) -> str:
    return str(media_links.with_links(message)[index]["url"])


class TestETag:
    def test_of_a_message_is_the_same_whenever_its_links_are_signed(self, business, user, settings):
        message = message_with(stored(), user=user)
        tags, links = set(), set()
        for settings.MEDIA_LINK_SECONDS in (600, 700):
            answer = business.get(f"/users/{user.user_id}/messages/{message.pk}")
            tags.add(answer["ETag"])
            links.add(answer.json()["media"][0]["url"])

        assert (len(tags), len(links)) == (1, 2)


class TestLinks:
    def test_every_stored_file_of_a_message_has_one(self, business, user, settings):
        settings.WEBCHAT_WIDGET_URL = "https://agents.example/widget.js"
        settings.MEDIA_LINK_SECONDS = 600
        message = message_with(stored(), stored(PDF, extension=".pdf", kind="document"), user=user)

        first, second = shown(business, message)

        assert first["url"].startswith(f"https://agents.example/media/{message.pk}/0?")
        assert first["url"] != second["url"]
        assert timezone.now() < timezone.datetime.fromisoformat(first["expires_at"])
        assert timezone.datetime.fromisoformat(first["expires_at"]) < timezone.now() + timedelta(seconds=601)
        assert [download(one["url"]).getvalue() for one in (first, second)] == [TINY_PNG, PDF]

    def test_file_that_is_missing_has_none(self, business, user):
        gone = {"kind": "video", "media_id": "77", "missing": "gone"}
        never = {"kind": "image", "error": "no URL"}

        assert [
            (one["url"], one["expires_at"]) for one in shown(business, message_with(gone, never, user=user))
        ] == [(None, None), (None, None)]

    def test_lifetime_is_an_hour_at_most_by_default(self, settings):
        assert 0 < settings.MEDIA_LINK_SECONDS <= 3600

    def test_expired_link_is_refused(self, settings):
        settings.MEDIA_LINK_SECONDS = -1
        url = link_to(message_with(stored()))

        answer = download(url)

        assert (answer.status_code, answer.json()["code"]) == (403, "link_invalid")

    def test_expiry_cannot_be_moved(self):
        url = link_to(message_with(stored()))
        later = str(int(parse_qs(urlsplit(url).query)["expires"][0]) + 1)

        assert download(changed(url, expires=later)).status_code == 403

    @pytest.mark.parametrize(
        "query", [{"signature": ""}, {"signature": "x" * 43}, {"expires": ""}, {"expires": "x"}]
    )
    def test_changed_link_is_refused(self, query):
        assert download(changed(link_to(message_with(stored())), **query)).status_code == 403

    def test_link_without_query_is_refused(self):
        assert download(link_to(message_with(stored())).partition("?")[0]).status_code == 403

    def test_signature_of_one_file_opens_no_other(self):
        message, other = message_with(stored(), stored(PDF)), message_with(stored())
        url = link_to(message)

        assert download(url.replace("/0?", "/1?")).status_code == 403
        assert download(url.replace(message.pk, other.pk)).status_code == 403

    def test_signature_for_another_purpose_is_refused(self):
        message = message_with(stored())
        url = link_to(message)
        expires = parse_qs(urlsplit(url).query)["expires"][0]
        foreign = signing.Signer(salt="another").signature(f"{message.pk}/0/{expires}")

        assert download(changed(url, signature=foreign)).status_code == 403

    def test_refusal_is_the_same_whether_the_message_exists(self):
        message = message_with(stored())
        url = changed(link_to(message), signature="x" * 43)

        answers = [
            download(one, x_correlation_id="mine") for one in (url, url.replace(message.pk, "msg_nobody"))
        ]

        assert [answer.status_code for answer in answers] == [403, 403]
        assert answers[0].content == answers[1].content
        assert message.pk not in answers[0].content.decode()

    def test_link_ends_when_the_customer_takes_the_message_back(self):
        message = message_with(stored())
        url = link_to(message)
        message.deleted_at = timezone.now()
        message.save()

        assert (download(url).status_code, download(url).json()["code"]) == (404, "not_found")


class TestStorages:
    def test_links_work_without_a_local_disk(self, settings):
        settings.STORAGES = {
            **settings.STORAGES,
            "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
        }
        message = message_with(stored(), {"kind": "image", "name": "1/none.png"})

        first, second = (download(link_to(message, index)) for index in (0, 1))

        assert (first.status_code, first.getvalue()) == (200, TINY_PNG)
        assert second.status_code == 404


class TestTenancy:
    def test_another_business_gets_no_link(self, business, user):
        theirs = message_with(stored())

        answer = business.get(f"/users/{user.user_id}/messages/{theirs.pk}")

        assert answer.status_code == 404
        assert "media/" not in answer.content.decode()

    def test_restricted_key_gets_links_of_its_numbers_only(self, user, valkey):
        mine, other = (message_with(stored(), user=user) for _ in range(2))
        key = keys.create(user_id=user.user_id, name="one", phone_number_ids=[mine.phone_number_id])[1]

        listed = Caller(key).get(f"/users/{user.user_id}/messages")

        assert [row["message_id"] for row in listed.json()["data"]] == [mine.pk]
        assert f"/media/{mine.pk}/0" in listed.content.decode()
        assert other.pk not in listed.content.decode()


class TestServing:
    @pytest.mark.parametrize(
        ("content", "extension", "content_type"),
        [
            (TINY_PNG, ".png", "image/png"),
            (b"\xff\xd8\xff", ".jpg", "image/jpeg"),
            (b"GIF89a", ".gif", "image/gif"),
            (b"RIFF0000WEBP", ".webp", "image/webp"),
            (b"OggS", ".ogg", "audio/ogg"),
            (b"ID3", ".mp3", "audio/mpeg"),
            (b"RIFF0000WAVE", ".wav", "audio/wav"),
            (b"0000ftypM4A ", ".m4a", "audio/mp4"),
            (b"0000ftypisom", ".mp4", "video/mp4"),
        ],
    )
    def test_known_types_are_shown_and_sandboxed(self, content, extension, content_type):
        answer = download(link_to(message_with(stored(content, extension=extension))))

        assert answer["Content-Type"] == content_type
        assert answer["Content-Disposition"].startswith("inline;")
        assert "sandbox" in answer["Content-Security-Policy"]
        assert "default-src 'none'" in answer["Content-Security-Policy"]
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Cache-Control"].startswith("private")
        assert answer.getvalue() == content

    def test_pdf_is_a_download_with_its_type(self):
        answer = download(link_to(message_with(stored(PDF, extension=".pdf", kind="document"))))

        assert answer["Content-Type"] == "application/pdf"
        assert answer["Content-Disposition"] == 'attachment; filename="document.pdf"'
        assert "sandbox" in answer["Content-Security-Policy"]

    @pytest.mark.parametrize(
        "extension", [".bin", ".html", ".svg", ".xhtml", ".xml", ".js", ".htm", "", ".PNG"]
    )
    @pytest.mark.parametrize("content", [HTML, SVG])
    def test_everything_else_is_a_download_without_a_type(self, content, extension):
        entry = stored(
            content, extension=extension, kind="document", mime_type="text/html", filename="a.html"
        )

        answer = download(link_to(message_with(entry)))

        assert answer["Content-Type"] == "application/octet-stream"
        assert answer["Content-Disposition"].startswith("attachment")
        assert "sandbox" in answer["Content-Security-Policy"]

    def test_customers_name_for_a_file_cannot_change_its_type_or_the_header(self):
        entry = stored(PDF, extension=".pdf", kind="document", filename='../..\\ü"x\r\nSet-Cookie: a=b.html')

        answer = download(link_to(message_with(entry)))

        assert answer["Content-Type"] == "application/pdf"
        assert "Set-Cookie: " not in answer.headers
        assert ".pdf" in answer["Content-Disposition"]
        assert ".html" not in answer["Content-Disposition"]
        assert "/" not in answer["Content-Disposition"].removeprefix("attachment")

    @pytest.mark.parametrize(
        "name", ["../secret.png", "1/../../secret.png", "/etc/hostname", "1", "1/none.png"]
    )
    def test_name_that_leads_out_of_the_storage_is_not_found(self, name):
        stored()

        answer = download(link_to(message_with({"kind": "image", "name": name})))

        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")

    @pytest.mark.parametrize(
        "path", ["/media/..%2f..%2fsecret.png/0", "/media/msg_x/-1", "/media/", "/media/1/secret.png"]
    )
    def test_path_names_a_message_and_a_number_and_nothing_else(self, path):
        assert NOBODY.get(path).status_code in {403, 404}

    def test_head_tells_the_size_without_the_file(self):
        parts = urlsplit(link_to(message_with(stored())))

        answer = NOBODY._client.head(f"{parts.path}?{parts.query}")

        assert (answer.status_code, answer["Content-Length"]) == (200, str(len(TINY_PNG)))
        assert answer.getvalue() == b""

    @pytest.mark.parametrize(
        ("asked", "status", "content", "content_range"),
        [
            ("bytes=0-", 200, b"0123456789", None),
            ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
            ("bytes=4-", 206, b"456789", "bytes 4-9/10"),
            ("bytes=-3", 206, b"789", "bytes 7-9/10"),
            ("bytes=8-99", 206, b"89", "bytes 8-9/10"),
            ("bytes=-99", 200, b"0123456789", None),
            ("bytes=10-", 416, b"", "bytes */10"),
            ("bytes=-0", 416, b"", "bytes */10"),
            ("bytes=3-1", 200, b"0123456789", None),
            ("bytes=0-1,4-5", 200, b"0123456789", None),
            ("lines=1-2", 200, b"0123456789", None),
            ("bytes=-", 200, b"0123456789", None),
        ],
    )
    def test_one_range_is_served_as_asked(self, asked, status, content, content_range):
        message = message_with(stored(b"0123456789", extension=".ogg", kind="voice"))

        answer = download(link_to(message), Range=asked)

        assert (answer.status_code, answer.getvalue()) == (status, content)
        assert answer.get("Content-Range") == content_range
        assert answer["Accept-Ranges"] == "bytes"
