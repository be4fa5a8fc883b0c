"""
E-mails to businesses: an outbox, handed over to Django's e-mail backend one by one, each once.

`sending` is committed before anything is handed over. What was certainly not taken is tried again; what may
have been is `unknown`, which no machine repeats.
"""

import smtplib
from typing import Any

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import connection

from config.lib import ids, sql, stopping
from config.lib.texts import storable

log = structlog.get_logger(__name__)

# Whoever sends one has given up by then.
LEASE = 60
# Seconds until the next attempt; after the last the e-mail is failed.
BACKOFF = (30, 300, 1800, 7200, 21_600, 43_200)
LONGEST_SUBJECT = 200


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
    """Tell whether anything is to be sent, or its sender to be given up."""
    return sql.row(_DUE) is not None


_DUE = """
    SELECT 1 FROM emails WHERE state IN ('pending', 'sending') AND due_at <= statement_timestamp() LIMIT 1
"""


def send_due() -> int:
    """Send what is due, and say how many there were."""
    sql.execute(_GIVE_UP)
    sent = 0
    while not stopping.is_stopping.is_set() and (email := sql.row(_BEGIN, [LEASE])) is not None:
        # No connection is held while somebody else is waited for.
        connection.close()
        state, error = _handed_over(email)
        wait = BACKOFF[min(email["attempts"], len(BACKOFF)) - 1]
        if state == "pending" and email["attempts"] >= len(BACKOFF):
            state = "failed"
        (log.info if state == "sent" else log.warning)(
            "email.ended", email_id=email["email_id"], state=state, error=error
        )
        sql.execute(_END, {"email": email["email_id"], "state": state, "error": error, "wait": wait})
        sent += 1
    return sent


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
    message = EmailMessage(subject=email["subject"], body=email["body"], to=[email["to"]])
    try:
        message.send()
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        is_final = any(code >= 500 for code in codes)
        return "failed" if is_final else "pending", f"recipient refused: {codes}"
    except (smtplib.SMTPServerDisconnected, smtplib.SMTPDataError) as error:
        code = getattr(error, "smtp_code", None)
        if code is None:
            return "unknown", "the server hung up"
        return "failed" if code >= 500 else "pending", f"refused: {code}"
    except OSError as error:
        # No connection, or, since smtplib's errors are these too, refused before the text was handed over.
        return "pending", type(error).__name__
    except Exception as error:  # a backend of whatever kind: nobody knows
        log.exception("email.not_handed_over", email_id=email["email_id"])
        return "unknown", type(error).__name__
    return "sent", ""
