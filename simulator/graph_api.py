"""
The simulated Graph API under /v{N}.{M}: messages out, media, phone numbers and their account.

https://developers.facebook.com/docs/whatsapp/cloud-api
"""

import asyncio
import json
import re

from simulator import graph_account, graph_sends, identifiers, phone_sends
from simulator.exchange import Answer, Json, Request, json_answer
from simulator.faults import Plan
from simulator.graph_errors import error_answer, injected_answer, plainly_refused
from simulator.graph_media import DOWNLOAD_PATH, INSTAGRAM_PATH
from simulator.journal import Entry
from simulator.receipts import instagram_receipts, whatsapp_receipts
from simulator.state import State

VERSION = re.compile(r"v\d{1,2}\.\d")
INVALID_TOKEN = "Invalid OAuth access token - Cannot parse access token"  # noqa: S105 - not a token
NOT_DIGITS = re.compile(r"\D")


def is_addressed(path: str) -> bool:
    """Tell whether a path belongs to the Graph API."""
    is_file = path.startswith((DOWNLOAD_PATH, INSTAGRAM_PATH))
    return is_file or VERSION.fullmatch(path.split("/")[1]) is not None


async def answer(state: State, request: Request, entry: Entry) -> Answer:
    """
    Answer one request to the Graph API.

    :raises RefusalError: if Meta would refuse it
    """
    if request.path.startswith(INSTAGRAM_PATH):
        return _download(state, request, "asset_id")
    if not (request.bearer_token() or request.query().get("access_token")):
        raise plainly_refused(INVALID_TOKEN, code=190, status=401)
    if request.path.startswith(DOWNLOAD_PATH):
        return _download(state, request, "mid")
    match (request.method, *request.path.strip("/").split("/")[1:]):
        case ("POST", account_id, "messages"):
            return await _messages(state, request, account_id, entry)
        case ("GET" | "POST", object_id, "subscribed_apps"):
            graph_account.require_token(state)
            return graph_account.subscribed_apps(state, request, object_id)
        case ("GET", object_id) if object_id:
            return _object(state, request, object_id)
    message = f"Unknown path components: {request.path}"
    return error_answer(404, {"message": message, "code": 2500})


async def _messages(state: State, request: Request, account_id: str, entry: Entry) -> Answer:
    payload = _payload(request)
    is_whatsapp = "messaging_product" in payload or "to" in payload
    is_message = payload.get("status") is None and payload.get("sender_action") is None
    graph_account.require_token(state)
    plan = state.behaviour.graph.plan(request.body, scripted=is_message)
    if plan.drop or plan.hang:
        return Answer(drop=plan.drop, hang=plan.hang)
    if plan.delay:
        await asyncio.sleep(plan.delay)
    if plan.error:
        return injected_answer(plan)
    answer = _whatsapp if is_whatsapp else _instagram
    answered = answer(state, payload, account_id, plan, entry)
    answered.drop = plan.drop_after_accept
    return answered


def _whatsapp(state: State, payload: Json, phone_number_id: str, plan: Plan, entry: Entry) -> Answer:
    if payload.get("messaging_product") != "whatsapp":
        raise plainly_refused("(#100) The parameter messaging_product is required.")
    graph_sends.check_whatsapp(payload)
    if payload.get("status") is not None:
        phone_sends.whatsapp_seen(state.chats, payload)
        return json_answer(200, {"success": True})
    to = payload.get("to")
    key = NOT_DIGITS.sub("", to) if to else payload["recipient"]
    message_id = identifiers.wamid(key if to else "10000000000", outgoing=True)
    entry.provider_ids = (message_id,)
    phone_sends.whatsapp_sent(
        state.chats, payload, number=phone_number_id, customer=key, message_id=message_id
    )
    whatsapp_receipts(state, payload, phone_number_id, state.customer(key), message_id, plan)
    contact = {"input": to, "wa_id": key} if to else {"input": key, "user_id": key}
    return json_answer(
        200, {"messaging_product": "whatsapp", "contacts": [contact], "messages": [{"id": message_id}]}
    )


def _instagram(state: State, payload: Json, account_id: str, plan: Plan, entry: Entry) -> Answer:
    graph_sends.check_instagram(payload)
    recipient = payload["recipient"].get("id") or payload["recipient"].get("comment_id")
    own_id = state.environment.instagram_account_id if account_id == "me" else account_id
    if payload.get("sender_action") is not None:
        phone_sends.instagram_action(state.chats, payload, number=own_id, customer=recipient)
        return json_answer(200, {"recipient_id": recipient})
    message_id = identifiers.mid()
    entry.provider_ids = (message_id,)
    phone_sends.instagram_sent(
        state.chats, payload["message"], number=own_id, customer=recipient, message_id=message_id
    )
    if not plan.step.get("fail_status"):
        instagram_receipts(state, payload["message"].get("text") or "", own_id, recipient, message_id)
    return json_answer(200, {"recipient_id": recipient, "message_id": message_id})


def _object(state: State, request: Request, object_id: str) -> Answer:
    if object_id == "debug_token":
        return graph_account.debug_token(state, request)
    media = state.media.get(object_id)
    if media is not None:
        base_url = f"http://{request.header('host')}"
        return json_answer(200, media.as_document(object_id, base_url))
    graph_account.require_token(state)
    return graph_account.object_answer(state, request, object_id)


def _download(state: State, request: Request, parameter: str) -> Answer:
    media = state.media.get(request.query().get(parameter, ""))
    if media is None or request.method != "GET":
        return Answer(404)
    return Answer(200, media.data, content_type=media.mime_type.encode("latin-1"))


def _payload(request: Request) -> Json:
    try:
        payload = json.loads(request.body)
    except (ValueError, RecursionError):
        payload = None
    if not isinstance(payload, dict):
        raise plainly_refused("(#100) The request body is not a JSON object.")
    return payload
