"""E-mails are handed over once."""

import smtplib
from datetime import timedelta

import pytest
from django.core import mail as django_mail
from django.utils import timezone

from billing import mail
from billing.models import Email
from tests import racing
from tests.factories import UserFactory


@pytest.fixture
def user(transactional_db):
    return UserFactory()


def write(user, **changes) -> None:
    usual = {
        "user_id": user.user_id,
        "to": "sales@example.com",
        "subject": "A lead",
        "body": "Ada",
        "reference": "one",
    }
    mail.write(**{**usual, **changes})


def make_due() -> None:
    Email.objects.update(due_at=timezone.now() - timedelta(seconds=1))


class _Backend:
    """A backend that fails as a server may."""

    failure: Exception = RuntimeError()

    def __init__(self, **_kwargs: object) -> None: ...

    def send_messages(self, _messages: list) -> int:
        raise self.failure


@pytest.fixture
def failing(settings, monkeypatch):
    settings.EMAIL_BACKEND = f"{__name__}._Backend"
    return lambda failure: monkeypatch.setattr(_Backend, "failure", failure)


class TestWrite:
    def test_is_sent_once_per_reference(self, user):
        write(user)
        write(user)

        assert mail.is_due()
        assert mail.send_due() == 1

        (sent,) = django_mail.outbox
        assert (sent.to, sent.subject, sent.body) == (["sales@example.com"], "A lead", "Ada")
        assert Email.objects.get().state == "sent"
        assert not mail.is_due()

    def test_makes_the_subject_one_line(self, user):
        write(user, subject="A\r\nBcc: everybody@example.com\n" + "x" * 500)

        mail.send_due()

        (sent,) = django_mail.outbox
        assert sent.subject.startswith("A Bcc: everybody@example.com x")
        assert len(sent.subject) == mail.LONGEST_SUBJECT
        assert sent.recipients() == ["sales@example.com"]

    def test_writes_none_where_nothing_sends_them(self, user, settings):
        settings.EMAIL_IS_SENT = False

        write(user)

        assert not Email.objects.exists()

    def test_sends_each_once_though_many_send(self, user):
        for number in range(10):
            write(user, reference=str(number))

        racing.at_once(*[mail.send_due] * 4)

        assert len(django_mail.outbox) == 10


class TestFailing:
    @pytest.mark.parametrize(
        ("failure", "state"),
        [
            (ConnectionRefusedError(), "pending"),
            (smtplib.SMTPConnectError(421, b"busy"), "pending"),
            (smtplib.SMTPAuthenticationError(535, b"no"), "pending"),
            (smtplib.SMTPRecipientsRefused({"a": (450, b"later")}), "pending"),
            (smtplib.SMTPRecipientsRefused({"a": (550, b"no")}), "failed"),
            (smtplib.SMTPDataError(554, b"spam"), "failed"),
            (smtplib.SMTPServerDisconnected("gone"), "unknown"),
            (RuntimeError("what?"), "unknown"),
        ],
        ids=repr,
    )
    def test_is_tried_again_only_if_it_was_certainly_not_taken(self, user, failing, failure, state):
        failing(failure)
        write(user)

        mail.send_due()

        found = Email.objects.get()
        assert (found.state, found.attempts) == (state, 1)
        assert (found.due_at > timezone.now()) or state != "pending"

    def test_is_given_up_after_a_day(self, user, failing):
        failing(ConnectionRefusedError())
        write(user)

        for _ in mail.BACKOFF:
            make_due()
            mail.send_due()

        assert Email.objects.get().state == "failed"

    def test_of_a_sender_that_died_is_unknown_and_not_repeated(self, user):
        write(user)
        Email.objects.update(state="sending")
        make_due()

        mail.send_due()

        assert Email.objects.get().state == "unknown"
        assert django_mail.outbox == []
