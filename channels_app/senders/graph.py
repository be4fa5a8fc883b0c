"""
Posting to Meta's Graph API, once.

https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
"""

from typing import Any

import requests
import structlog

from channels_app.senders.contract import NotDeliveredError, OutcomeUnknownError
from config.lib import outbound

log = structlog.get_logger(__name__)

# Token, permission and account errors: nothing will go out on this number until a person acts.
_ALARMING = {0, 3, 10, 190, 368, 130497, 131005, 131031, 131045, 133010}


def post(url: str, *, body: dict[str, object], token: str, timeout: float) -> dict[str, Any]:
    """
    Post to Graph and give the parsed answer.

    :raises NotDeliveredError: on a parsed 4xx, a 200 that holds an error, or a refused connection
    :raises OutcomeUnknownError: on a timeout, a broken connection, a 5xx or an answer nobody can read
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


def _json(response: requests.Response) -> dict[str, Any]:
    try:
        answer = response.json()
    except requests.JSONDecodeError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _refuse(response: requests.Response, error: dict[str, Any]) -> None:
    code = str(error.get("code", ""))
    about = {"code": code, "request_id": str(error.get("fbtrace_id", ""))}
    if response.status_code >= 500:
        raise OutcomeUnknownError("Graph failed", code=code, request_id=about["request_id"])
    if code.isdigit() and (int(code) in _ALARMING or 200 <= int(code) <= 299):
        log.error("graph.account_refused", **about)
    details = error.get("error_data") or {}
    reason = details.get("details") if isinstance(details, dict) else None
    raise NotDeliveredError(str(reason or error.get("message") or "refused")[:500], **about)
