"""
Posting to Meta's Graph API, once.

https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
"""

import json
import re
from typing import Any

import structlog

from channels_app.senders.contract import ChannelBrokenError, NotDeliveredError, OutcomeUnknownError
from channels_app.senders.graph_codes import Verdict, verdict
from config.lib import metrics, outbound
from config.lib.outbound import Received

log = structlog.get_logger(__name__)

_SAYS_SENT = re.compile(r"^(?!.*(\bnot\b|n't\b)).*\bsent\b", re.IGNORECASE | re.DOTALL)

_COURTESY_TIMEOUT = 3.0


def messages_url(base_url: str, sender_id: str) -> str:
    """Return the URL that messages of a number, page or account are posted to."""
    return f"{base_url.rstrip('/')}/{sender_id}/messages"


async def post(url: str, *, body: dict[str, object], token: str, timeout: float) -> dict[str, Any]:
    """
    Post to Graph and give the parsed answer.

    :raises NotDeliveredError: on a parsed 4xx, a 200 that holds an error, a refused account or connection
    :raises OutcomeUnknownError: on a timeout, a broken connection, other 5xx or an answer nobody can read
    """
    with metrics.timed(metrics.GRAPH_CALLS, metrics.GRAPH_ERRORS, "message"):
        return await _post(url, body=body, token=token, timeout=timeout)


async def _post(url: str, *, body: dict[str, object], token: str, timeout: float) -> dict[str, Any]:
    try:
        response = await outbound.post_json(url, body=body, token=token, timeout=timeout)
    except outbound.NotSentError as error:
        raise NotDeliveredError(str(error), code="not_connected") from error
    except outbound.NoAnswerError as error:
        raise OutcomeUnknownError(str(error), code="no_answer") from error
    answer = _json(response)
    if isinstance(answer.get("error"), dict):
        _refuse(response, answer["error"])
    if response.status >= 400 or not answer:
        raise OutcomeUnknownError("unreadable answer", code=f"http_{response.status}")
    return answer


async def post_courtesy(url: str, *, body: dict[str, object], token: str) -> bool:
    """Post what nobody misses if it fails, and tell whether it worked."""
    try:
        with metrics.timed(metrics.GRAPH_CALLS, metrics.GRAPH_ERRORS, "courtesy"):
            response = await outbound.post_json(url, body=body, token=token, timeout=_COURTESY_TIMEOUT)
    except (outbound.NotSentError, outbound.NoAnswerError) as error:
        log.debug("graph.courtesy_failed", reason=str(error))
        return False
    refusal = _json(response).get("error")
    if refusal or response.status >= 400:
        code = refusal.get("code") if isinstance(refusal, dict) else None
        log.debug("graph.courtesy_refused", status=response.status, code=code)
        return False
    return True


def _json(response: Received) -> dict[str, Any]:
    try:
        answer = json.loads(response.content)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _refuse(response: Received, error: dict[str, Any]) -> None:
    code, subcode = str(error.get("code", "")), error.get("error_subcode")
    about = {"code": code, "request_id": str(error.get("fbtrace_id", ""))}
    meaning = verdict(code, subcode)
    # Some channel errors come with a 500, but they say what is wrong.
    if (response.status >= 500 and meaning is not Verdict.CHANNEL) or _may_have_been_sent(error):
        raise OutcomeUnknownError("Graph failed", code=code, request_id=about["request_id"])
    details = error.get("error_data") or {}
    details = details.get("details") if isinstance(details, dict) else None
    reason = str(details or error.get("message") or "refused")[:500]
    if meaning is Verdict.CHANNEL:
        log.error("graph.account_refused", subcode=subcode, **about)
        raise ChannelBrokenError(reason, **about)
    raise NotDeliveredError(reason, **about)


def _may_have_been_sent(error: dict[str, Any]) -> bool:
    code, subcode = error.get("code"), error.get("error_subcode")
    if str(code) != "1":
        return False
    if verdict(code, subcode) is Verdict.UNKNOWN:
        return True
    return any(_SAYS_SENT.search(str(error.get(key, ""))) for key in ("message", "error_user_msg"))
