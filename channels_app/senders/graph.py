"""
Posting to Meta's Graph API, once.

https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
"""

import re
from typing import Any

import requests
import structlog

from channels_app.senders.contract import ChannelBrokenError, NotDeliveredError, OutcomeUnknownError
from config.lib import outbound

log = structlog.get_logger(__name__)

# Token, permission and account errors: nothing will go out on this number until a person acts.
_ALARMING = {0, 3, 10, 190, 368, 130497, 131005, 131031, 131045, 133010}
# Instagram's 10 is also what a closed 24-hour window gives, and that is about one customer only.
_WINDOW_CLOSED = 2534022
# Instagram answers 1 with this although the message was sent.
_SENT_ALL_THE_SAME = 1357046
_SAYS_SENT = re.compile(r"^(?!.*(\bnot\b|n't\b)).*\bsent\b", re.IGNORECASE | re.DOTALL)

_COURTESY_TIMEOUT = 3.0


def messages_url(base_url: str, sender_id: str) -> str:
    """Give the URL that messages of a number, page or account are posted to."""
    return f"{base_url.rstrip('/')}/{sender_id}/messages"


def post(url: str, *, body: dict[str, object], token: str, timeout: float) -> dict[str, Any]:
    """
    Post to Graph and give the parsed answer.

    :raises NotDeliveredError: on a parsed 4xx, a 200 that holds an error, a refused account or connection
    :raises OutcomeUnknownError: on a timeout, a broken connection, other 5xx or an answer nobody can read
    """
    try:
        response = outbound.post_json(url, body=body, token=token, timeout=timeout)
    except outbound.NotSentError as error:
        raise NotDeliveredError(str(error), code="not_connected") from error
    except outbound.NoAnswerError as error:
        raise OutcomeUnknownError(str(error), code="no_answer") from error
    answer = _json(response)
    if isinstance(answer.get("error"), dict):
        _refuse(response, answer["error"])
    if not response.ok or not answer:
        raise OutcomeUnknownError("unreadable answer", code=str(response.status_code))
    return answer


def post_courtesy(url: str, *, body: dict[str, object], token: str) -> bool:
    """Post what nobody misses if it fails, and tell whether it worked."""
    try:
        response = outbound.post_json(url, body=body, token=token, timeout=_COURTESY_TIMEOUT)
    except (outbound.NotSentError, outbound.NoAnswerError) as error:
        log.debug("graph.courtesy_failed", reason=str(error))
        return False
    refusal = _json(response).get("error")
    if refusal or not response.ok:
        code = refusal.get("code") if isinstance(refusal, dict) else None
        log.debug("graph.courtesy_refused", status=response.status_code, code=code)
        return False
    return True


def _json(response: requests.Response) -> dict[str, Any]:
    try:
        answer = response.json()
    except requests.JSONDecodeError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _refuse(response: requests.Response, error: dict[str, Any]) -> None:
    code, subcode = str(error.get("code", "")), error.get("error_subcode")
    about = {"code": code, "request_id": str(error.get("fbtrace_id", ""))}
    # Some of these come with a 500, but they say what is wrong.
    is_alarming = (
        code.isdigit() and (int(code) in _ALARMING or 200 <= int(code) <= 299) and subcode != _WINDOW_CLOSED
    )
    if (response.status_code >= 500 and not is_alarming) or _may_have_been_sent(error):
        raise OutcomeUnknownError("Graph failed", code=code, request_id=about["request_id"])
    details = error.get("error_data") or {}
    reason = details.get("details") if isinstance(details, dict) else None
    said = str(reason or error.get("message") or "refused")[:500]
    if is_alarming:
        log.error("graph.account_refused", subcode=subcode, **about)
        raise ChannelBrokenError(said, **about)
    raise NotDeliveredError(said, **about)


def _may_have_been_sent(error: dict[str, Any]) -> bool:
    if str(error.get("code")) != "1":
        return False
    if str(error.get("error_subcode")) == str(_SENT_ALL_THE_SAME):
        return True
    return any(_SAYS_SENT.search(str(error.get(key, ""))) for key in ("message", "error_user_msg"))
