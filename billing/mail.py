"""
E-mails to businesses: an outbox, handed over to Django's e-mail backend one by one, each once.

`sending` is committed before anything is handed over. What was certainly not taken is tried again; what may
have been is `unknown`, which no machine repeats.
"""

import contextlib
import smtplib
import threading
import time
from typing import Any

import structlog
from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import connection

from config.lib import ids, shutdown, sql
from config.lib.texts import storable

log = structlog.get_logger(__name__)

# Whoever sends one has given up by then.
LEASE = 60
# Seconds until the next attempt; after the last the e-mail is failed.
BACKOFF = (30, 300, 1800, 7200, 21_600, 43_200)
LONGEST_SUBJECT = 200

# At most so many are handed over at once, so that a server that hangs costs few threads.
SENDERS = 2

_busy = 0
_lock = threading.Lock()


def write(*, user_id: str, to: str, subject: str, body: str, reference: str) -> None:
    """Write an e-mail in the caller's transaction, once per reference; none where nothing sends them."""
    if not settings.EMAIL_IS_SENT:
        return
    line = " ".join(storable(subject).split())[:LONGEST_SUBJECT]
    sql.execute(_WRITE, [ids.new("eml"), user_id, reference[:200], to, line, storable(body)])


_WRITE = """
    INSERT INTO emails (email_id, user_id, reference, "to", subject, body)
    VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (reference) DO NOTHING
"""


def is_due() -> bool:
    """Return whether any e-mail is due, or any sender of one has vanished."""
    return sql.row(_DUE) is not None


_DUE = """
    SELECT 1 FROM emails WHERE state IN ('pending', 'sending') AND due_at <= statement_timestamp() LIMIT 1
"""


def send_due() -> int:
    """Send what is due, and say how many there were."""
    global _busy  # noqa: PLW0603  (one number a process)
    with _lock:
        _busy += 1
    try:
        sql.execute(_GIVE_UP)
        sent = 0
        while not shutdown.is_stopping.is_set() and (email := sql.row(_BEGIN, [LEASE, SENDERS])) is not None:
            _send(email)
            sent += 1
        return sent
    finally:
        with _lock:
            _busy -= 1


# One that is being handed over is waited for: cut off, nobody would know whether it was taken.
shutdown.register(hand_back=lambda: None, is_busy=lambda: _busy > 0)


def _send(email: dict[str, Any]) -> None:
    # No connection is held while somebody else is waited for.
    connection.close()
    until = time.monotonic() + LEASE
    state, error = _handed_over(email)
    wait = BACKOFF[min(email["attempts"], len(BACKOFF)) - 1]
    if state == "pending" and email["attempts"] >= len(BACKOFF):
        state = "failed"
    (log.info if state == "sent" else log.warning)(
        "email.ended", email_id=email["email_id"], state=state, error=error
    )
    ended = {"email": email["email_id"], "state": state, "error": error, "wait": wait}
    sql.retry_until(lambda: sql.execute(_END, ended), until=until)


_GIVE_UP = """
    UPDATE emails SET state = 'unknown', error = 'its sender died'
     WHERE state = 'sending' AND due_at <= statement_timestamp()
"""

_BEGIN = """
    UPDATE emails
       SET state = 'sending', attempts = attempts + 1,
           due_at = statement_timestamp() + make_interval(secs => %s)
     WHERE email_id = (SELECT email_id FROM emails
                        WHERE state = 'pending' AND due_at <= statement_timestamp()
                          AND (SELECT count(*) FROM emails
                                WHERE state = 'sending' AND due_at > statement_timestamp()) < %s
                        ORDER BY due_at
                        LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING email_id, "to", subject, body, attempts
"""

_END = """
    UPDATE emails
       SET state = %(state)s, error = %(error)s,
           due_at = statement_timestamp() + make_interval(secs => %(wait)s),
           sent_at = CASE WHEN %(state)s::varchar = 'sent' THEN statement_timestamp() END
     WHERE email_id = %(email)s AND state = 'sending'
"""


def _handed_over(email: dict[str, Any]) -> tuple[str, str]:
    """Hand an e-mail over; give its new state, and what went wrong in words without addresses."""
    try:
        server = get_connection()
        server.open()
    except OSError as error:
        return "pending", f"no connection: {type(error).__name__}"
    except Exception as error:  # a backend of whatever kind: nothing was handed over
        log.exception("email.no_connection", email_id=email["email_id"])
        return "pending", f"no connection: {type(error).__name__}"
    try:
        return _outcome(email, server)
    finally:
        with contextlib.suppress(Exception):
            server.close()


def _outcome(email: dict[str, Any], server: BaseEmailBackend) -> tuple[str, str]:
    message = EmailMessage(subject=email["subject"], body=email["body"], to=[email["to"]], connection=server)
    try:
        message.send()
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        is_final = any(code >= 500 for code in codes)
        return "failed" if is_final else "pending", f"recipient refused: {codes}"
    except smtplib.SMTPSenderRefused as error:
        return "pending", f"sender refused: {error.smtp_code}"
    except smtplib.SMTPResponseException as error:
        return "failed" if error.smtp_code >= 500 else "pending", f"refused: {error.smtp_code}"
    except smtplib.SMTPServerDisconnected:
        return "unknown", "the server hung up"
    except Exception as error:  # a backend of whatever kind: nobody knows
        log.exception("email.not_handed_over", email_id=email["email_id"])
        return "unknown", type(error).__name__
    return "sent", ""
