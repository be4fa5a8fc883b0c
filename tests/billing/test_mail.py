"""E-mails are handed over once."""

import threading
from datetime import timedelta

import pytest
from django.core import mail as django_mail
from django.core.mail.backends.base import BaseEmailBackend
from django.utils import timezone

from billing import mail
from billing.models import Email
from config.lib import shutdown
from tests import racing
from tests.billing.mail_server import MailServer
from tests.factories import UserFactory
from tests.rig import wait_until


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


@pytest.fixture
def server(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_USE_TLS, settings.EMAIL_USE_SSL = "127.0.0.1", False, False
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    with MailServer() as running:
        settings.EMAIL_PORT = running.port
        yield running


class Baffled(BaseEmailBackend):
    """A backend that fails as nobody foresaw, at `open` or at `send_messages`."""

    fails_at = ""

    def open(self) -> None:
        if self.fails_at == "open":
            raise RuntimeError

    def send_messages(self, email_messages: object) -> int:
        raise RuntimeError


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


class TestHandingOver:
    def test_to_a_server_that_takes_it(self, user, server):
        write(user, subject="Zoë")

        mail.send_due()

        assert Email.objects.get().state == "sent"
        (text,) = server.texts
        assert b"To: sales@example.com" in text
        assert b"Subject: =?utf-8?" in text

    @pytest.mark.parametrize(
        ("word", "answer", "state"),
        [
            ("CONNECT", "421 busy", "pending"),
            ("CONNECT", "", "pending"),
            ("MAIL", "451 later", "pending"),
            ("RCPT", "450 later", "pending"),
            ("RCPT", "550 nobody of that name", "failed"),
            ("MAIL", "", "unknown"),
            ("DATA", "451 later", "pending"),
            ("DATA", "554 spam", "failed"),
            ("DATA", "", "unknown"),
        ],
        ids=lambda value: value or "hangs up",
    )
    def test_is_tried_again_only_if_it_was_certainly_not_taken(self, user, server, word, answer, state):
        server.answer(word, answer)
        write(user)

        mail.send_due()

        found = Email.objects.get()
        assert (found.state, found.attempts) == (state, 1)
        assert found.error
        assert "sales" not in found.error
        assert (found.due_at > timezone.now()) or state != "pending"

    def test_is_tried_again_where_there_is_no_server(self, user, settings, server):
        with MailServer() as gone:
            settings.EMAIL_PORT = gone.port
        write(user)

        mail.send_due()
        settings.EMAIL_PORT = server.port
        make_due()
        mail.send_due()

        found = Email.objects.get()
        assert (found.state, found.attempts, len(server.texts)) == ("sent", 2, 1)

    def test_is_given_up_after_a_day(self, user, server):
        server.answer("CONNECT", "421 busy")
        write(user)

        for _ in mail.BACKOFF:
            make_due()
            mail.send_due()

        assert Email.objects.get().state == "failed"
        assert sum(mail.BACKOFF[:-1]) <= timedelta(days=1).total_seconds()

    @pytest.mark.parametrize(("place", "state"), [("open", "pending"), ("send_messages", "unknown")])
    def test_by_a_backend_that_fails_as_nobody_foresaw(self, user, settings, monkeypatch, place, state):
        settings.EMAIL_BACKEND = f"{__name__}.Baffled"
        monkeypatch.setattr(Baffled, "fails_at", place)
        write(user)

        mail.send_due()

        assert Email.objects.get().state == state

    def test_keeps_few_threads_waiting_for_a_slow_server(self, user, server):
        server.take_time(0.3)
        for number in range(6):
            write(user, reference=str(number))

        racing.at_once(*[mail.send_due] * 6)

        assert 1 <= server.most_at_once <= mail.SENDERS

    def test_is_waited_for_when_the_process_is_to_stop(self, user, server):
        server.take_time(0.5)
        write(user)
        sending = threading.Thread(target=racing.at_once, args=[mail.send_due])
        sending.start()
        wait_until(lambda: Email.objects.get().state == "sending")

        was_busy = any(busy() for busy in shutdown._is_busy)
        sending.join()

        assert was_busy
        assert not any(busy() for busy in shutdown._is_busy)

    def test_of_a_sender_that_died_is_unknown_and_not_repeated(self, user):
        write(user)
        Email.objects.update(state="sending")
        make_due()

        mail.send_due()

        assert Email.objects.get().state == "unknown"
        assert django_mail.outbox == []
