"""Pictures are taken by what they are, kept under our names, and given to whoever sent them."""

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from channels_app.models import InboundMessage, UnsentPicture
from channels_app.tasks import purge
from channels_app.webchat import files
from channels_app.webchat.files import MOST_BYTES, UNSENT_FOR
from conversations import events
from tests.webchat.browser_calls import PNG

pytestmark = pytest.mark.django_db
WEBP = b"RIFF\x00\x00\x00\x00WEBP" + b"\x00" * 20


class TestSending:
    @pytest.mark.parametrize(
        ("content", "kind"),
        [
            (PNG, "image/png"),
            (b"\xff\xd8\xff\xe0" + b"\0" * 20, "image/jpeg"),
            (b"GIF89a" + b"\0" * 20, "image/gif"),
            (WEBP, "image/webp"),
            (PNG, "image/jpeg"),
        ],
    )
    def test_keeps_a_picture_whatever_it_is_called(self, browser, content, kind):
        answer = browser.upload(content, kind)

        assert answer.status_code == 201
        assert browser.get(f"files/{answer.json()['file_id']}").content == content

    @pytest.mark.parametrize(
        ("content", "kind", "status"),
        [
            (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "image/svg+xml", 415),
            (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "image/png", 422),
            (b"<html><script>alert(1)</script></html>", "text/html", 415),
            (b"<html><script>alert(1)</script></html>", "image/gif", 422),
            (b"MZ\x90\x00", "image/png", 422),
            (b"%PDF-1.7", "image/png", 422),
            (b"", "image/png", 422),
            (PNG, "multipart/form-data; boundary=x", 415),
            (PNG, "application/octet-stream", 415),
            (PNG + b"\0" * MOST_BYTES, "image/png", 413),
        ],
    )
    def test_refuses_what_is_no_picture(self, browser, content, kind, status):
        assert browser.upload(content, kind).status_code == status

    def test_takes_five_megabytes(self, browser):
        assert browser.upload(PNG + b"\0" * (MOST_BYTES - len(PNG))).status_code == 201

    def test_names_the_file_itself(self, browser, chat):
        file_id = browser.upload().json()["file_id"]

        found = default_storage.listdir(chat.pk)
        assert found == ([], [file_id.replace("-png", ".png")])

    def test_goes_with_a_message(self, browser):
        file_id = browser.upload().json()["file_id"]

        answer = browser.write("", file_id=file_id)

        row = InboundMessage.objects.get()
        assert answer.status_code == 202
        assert row.kind == "image"
        assert [default_storage.exists(one["name"]) for one in row.media] == [True]
        assert browser.messages()["messages"][0]["image"] == {"file_id": file_id}


class TestGetting:
    def test_answers_so_that_no_browser_runs_it(self, browser):
        answer = browser.get(f"files/{browser.upload().json()['file_id']}")

        assert answer["Content-Type"] == "image/png"
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Content-Disposition"] == "attachment"
        assert "default-src 'none'" in answer["Content-Security-Policy"]
        assert answer["Cache-Control"].startswith("private")
        assert {"authorization", "origin"} <= set(answer["Vary"].lower().split(", "))

    @pytest.mark.parametrize("file_id", ["x", "0" * 48 + "-png", "0" * 48 + "-svg", "..", "0" * 47 + "-png"])
    def test_knows_no_other(self, browser, file_id):
        assert browser.get(f"files/{file_id}").status_code == 404

    def test_goes_on_after_signing_in(self, browser, chat):
        file_id = browser.upload().json()["file_id"]
        browser.write("Look", file_id=file_id)
        browser.begin(identity_token=chat.token_of("4711"))

        events.apply()

        assert browser.get(f"files/{file_id}").status_code == 200


class TestPicturesThatWereNeverSent:
    def test_are_deleted_after_some_time_and_no_others(self, browser, chat):
        unsent, sent = (browser.upload().json()["file_id"] for _ in range(2))
        browser.write("Look", file_id=sent)
        now = timezone.now()

        early, late = files.purge(now=now), files.purge(now=now + UNSENT_FOR)

        assert (early, late) == (0, 1)
        assert default_storage.listdir(chat.pk) == ([], [sent.replace("-png", ".png")])
        assert browser.get(f"files/{sent}").status_code == 200
        assert browser.get(f"files/{unsent}").status_code == 404

    def test_cannot_be_sent_any_more(self, browser):
        file_id = browser.upload().json()["file_id"]
        files.purge(now=timezone.now() + UNSENT_FOR)

        answer = browser.write("Look", file_id=file_id)

        assert (answer.status_code, answer.json()["code"]) == (422, "file_unknown")

    def test_may_be_gone_already(self, browser, chat):
        default_storage.delete(f"{chat.pk}/{browser.upload().json()['file_id'].replace('-png', '.png')}")

        assert files.purge(now=timezone.now() + UNSENT_FOR) == 1

    def test_are_looked_for_by_the_purge(self, browser, chat):
        browser.upload()
        UnsentPicture.objects.update(received_at=timezone.now() - UNSENT_FOR)

        purge()

        assert default_storage.listdir(chat.pk) == ([], [])
