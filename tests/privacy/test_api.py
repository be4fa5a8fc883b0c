"""Erasure and export by the API, by commands, in the admin and by Meta."""

import base64
import hashlib
import hmac
import io
import json
import zipfile
from io import StringIO

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from billing import keys
from billing.models import AuditEntry
from channels_app.models import Customer
from config.admin import groups
from config.admin.buttons import admin_url
from conversations.models import Message
from privacy import erasure, signed_request
from privacy.models import DeletionRequest, Erasure
from tests.admin.conftest import accounts, people  # noqa: F401  (fixtures)
from tests.api.caller import Caller
from tests.factories import CustomerFactory, PhoneNumberFactory
from tests.privacy import person
from tests.privacy.test_erasure import settle


@pytest.fixture
def business(filled) -> Caller:
    return Caller(keys.create(user_id=filled.agent.user_id, name="test")[1])


def place(filled, what: str) -> str:
    return f"/users/{filled.agent.user_id}/customers/{filled.customer.pk}/{what}"


class TestEraseOperation:
    def test_answers_a_receipt_and_the_same_one_again(self, filled, business):
        first = business.post(place(filled, "erase"), {})
        second = business.post(place(filled, "erase"), {})

        receipt = first.json()
        assert (first.status_code, second.status_code) == (202, 202)
        assert receipt["state"] == "running"
        assert receipt["erasure_id"] == second.json()["erasure_id"]
        assert receipt["source"] == "api"
        assert receipt["actor"].startswith("key:")

    def test_customer_is_gone_at_once(self, filled, business):
        business.post(place(filled, "erase"), {})

        listed = business.get(f"/users/{filled.agent.user_id}/customers").json()["data"]
        found = json.dumps(business.get(f"/users/{filled.agent.user_id}/conversations").json())
        shown = json.dumps(listed) + found
        assert [
            needle for needle in (person.NAME, person.PHONE, person.BSUID, "crm-zoe") if needle in shown
        ] == []

    def test_receipt_can_be_read_later(self, filled, business, openai):
        business.post(place(filled, "erase"), {})
        settle(erasure.run(Erasure.objects.get().pk))

        receipt = business.get(place(filled, "erasure")).json()

        assert receipt["state"] == "done"
        assert receipt["counts"]["messages"] == 2
        assert receipt["finished_at"]

    def test_customer_of_another_business_does_not_exist(self, filled, business):
        other = CustomerFactory(phone_number=PhoneNumberFactory())
        url = f"/users/{filled.agent.user_id}/customers/{other.pk}"

        answers = [
            business.post(f"{url}/erase", {}),
            business.get(f"{url}/erasure"),
            business.get(f"{url}/export"),
        ]

        assert [answer.status_code for answer in answers] == [404, 404, 404]
        assert Customer.objects.filter(pk=other.pk).exists()


class TestExport:
    def test_answers_everything_that_is_stored(self, filled, business):
        document = business.get(place(filled, "export")).json()

        [talk] = document["conversations"]
        assert [message["text"] for message in talk["messages"]] == [
            person.WORDS, f"{person.WORDS}, {person.NAME}",
        ]  # fmt: skip
        assert talk["messages"][0]["media"][0]["url"].startswith("http")
        assert document["customer"]["ids"]["wa_id"] == person.PHONE
        assert document["leads"][0]["email"] == "zoe@example.com"
        assert document["inbox"][0]["payload"]["from"] == person.PHONE
        assert document["channel_events"][0]["payload"]["id"] == person.SENT_WAMID
        assert AuditEntry.objects.filter(action="customer.exported").count() == 1

    def test_file_has_data_a_transcript_and_the_files(self, filled, tmp_path):
        path = tmp_path / "zoe.zip"
        call_command("export_customer", filled.customer.pk, str(path), stdout=StringIO())

        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            text = archive.read("transcript.txt").decode()
            asked = Message.objects.get(sequence_no=1)
            picture = archive.read(f"files/{asked.pk}-0.png")
            data = json.loads(archive.read("data.json"))

        assert {"data.json", "transcript.txt"} < names
        assert f"customer: {person.WORDS} [image]" in text
        assert picture == b"a picture"
        assert data["customer"]["name"] == person.NAME

    def test_file_that_exists_is_not_overwritten(self, filled, tmp_path):
        path = tmp_path / "zoe.zip"
        path.write_text("mine")

        with pytest.raises(CommandError, match="exists"):
            call_command("export_customer", filled.customer.pk, str(path))
        assert path.read_text() == "mine"


class TestCommand:
    def test_prints_the_receipt(self, filled, openai):
        out = StringIO()

        call_command("erase_customer", filled.customer.pk, "--yes", stdout=out)

        text = out.getvalue()
        assert "messages               2" in text
        assert "command:erase_customer" in text
        assert [needle for needle in filled.needles if needle in text] == []

    def test_asks_first(self, filled, monkeypatch):
        monkeypatch.setattr("builtins.input", lambda _question: "no")

        with pytest.raises(CommandError, match="nothing was erased"):
            call_command("erase_customer", filled.customer.pk)
        assert Customer.objects.get(pk=filled.customer.pk).name == person.NAME

    def test_refuses_a_customer_nobody_knows(self, transactional_db, valkey):
        with pytest.raises(CommandError, match="no customer cus_1"):
            call_command("erase_customer", "cus_1", "--yes")


@pytest.fixture
def staff(filled, request):
    """Staff whose groups have their permissions, which other tests' clean-up takes away."""
    groups.keep()
    return request.getfixturevalue("people")


class TestAdmin:
    def press(self, client, filled, name, **said):
        return client.post(admin_url(filled.customer).replace("/change/", f"/{name}/"), said)

    def test_operators_erase_with_a_confirmation_that_names_nobody(self, filled, staff):
        wrong = self.press(staff.operators, filled, "erase-customer", confirmation="yes")
        right = self.press(staff.operators, filled, "erase-customer", confirmation="erase")

        row = Erasure.objects.get()
        assert wrong.status_code == 200
        assert right.url == reverse("admin:privacy_erasure_changelist")
        assert (row.source, row.actor) == ("admin", "admin:otto")
        assert person.NAME not in str(list(LogEntry.objects.exclude(object_repr=person.NAME).values()))
        assert staff.operators.get(admin_url(row)).status_code == 200

    def test_support_does_not(self, filled, staff):
        answers = [self.press(staff.support, filled, name) for name in ("erase-customer", "export-customer")]

        assert [answer.status_code for answer in answers] == [403, 403]
        assert not Erasure.objects.exists()

    def test_export_is_a_file(self, filled, staff):
        answer = self.press(staff.operators, filled, "export-customer")

        content = b"".join(answer.streaming_content)
        assert zipfile.ZipFile(io.BytesIO(content)).namelist()[:2] == ["data.json", "transcript.txt"]
        assert "attachment" in answer["Content-Disposition"]


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def signed(user_id: str, *, secret: str, algorithm: str = "HMAC-SHA256") -> str:
    content = encoded(
        json.dumps({"algorithm": algorithm, "issued_at": 1291836800, "user_id": user_id}).encode()
    )
    return f"{encoded(hmac.new(secret.encode(), content.encode(), hashlib.sha256).digest())}.{content}"


class TestMetasCallback:
    @pytest.fixture
    def secret(self, settings):
        settings.WEBHOOK_SECRETS = ["newer", "app-secret"]
        return "app-secret"

    def post(self, text: str):
        return Client().post("/meta/data_deletion", {"signed_request": text})

    def test_erases_the_person_and_answers_where_to_look(self, filled, openai, secret):
        Customer.objects.filter(pk=filled.customer.pk).update(ig_id="8123456789")

        answer = self.post(signed("8123456789", secret=secret)).json()
        path = answer["url"].partition("/meta/")[2]
        running = Client().get(f"/meta/{path}").content.decode()
        settle(erasure.run(Erasure.objects.get().pk))
        done = Client().get(f"/meta/{path}").content.decode()

        assert answer["confirmation_code"] in answer["url"]
        assert "is being deleted" in running
        assert "has been deleted" in done
        assert Erasure.objects.get().source == "meta"
        assert person.mentioning((*filled.needles, "8123456789")) == {}

    def test_person_nobody_knows_gets_an_answer_as_well(self, filled, secret):
        answer = self.post(signed("1", secret=secret))
        status = Client().get(f"/meta/data_deletion/{answer.json()['confirmation_code']}")

        assert answer.status_code == 200
        assert "Nothing is stored" in status.content.decode()
        assert DeletionRequest.objects.get().erasure_ids == []

    @pytest.mark.parametrize(
        "text",
        ["", ".", "abc", "abc.def", "ä.ö", signed("1", secret="wrong"),
         signed("1", secret="app-secret", algorithm="NONE"), "x" * 20_000],
    )  # fmt: skip
    def test_what_meta_did_not_sign_is_refused(self, transactional_db, secret, text):
        assert self.post(text).status_code == 400
        assert not DeletionRequest.objects.exists()

    def test_code_nobody_was_given_shows_nothing(self, transactional_db):
        assert Client().get("/meta/data_deletion/" + "0" * 32).status_code == 404

    def test_padding_does_not_matter(self, secret):
        text = signed("12", secret=secret)

        assert signed_request.read(text)["user_id"] == "12"
