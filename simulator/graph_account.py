"""
What Graph says of a number and its account: its fields, the token, and the apps that get its webhooks.

https://developers.facebook.com/documentation/business-messaging/whatsapp/support/health-status
https://developers.facebook.com/docs/graph-api/reference/debug_token
https://developers.facebook.com/docs/graph-api/reference/whats-app-business-account/subscribed_apps
"""

import time
from typing import Any

from simulator import identifiers
from simulator.exchange import Answer, Json, Request, json_answer
from simulator.graph_errors import missing_object, plainly_refused
from simulator.state import State

APP_ID = "670843887433847"
APP_NAME = "Simulated App"
BUSINESS_ID = "506914307656634"
INSTAGRAM_FIELDS = ["messages", "messaging_postbacks", "message_reactions", "messaging_seen"]
# Graph's words for a token that has expired, and for one that was taken back.
EXPIRED = 463
REVOKED = 460
# How ids of Instagram's professional accounts begin.
_INSTAGRAM = "17841"
_BASIC = ("id", "verified_name", "display_phone_number", "quality_rating", "code_verification_status")


def require_token(state: State) -> None:
    """
    Refuse a token as Graph does when it has expired or was taken back.

    :raises RefusalError: if it no longer works
    """
    error = _token_error(state)
    if error is not None:
        raise plainly_refused(
            error["message"], code=error["code"], status=401, subcode=error["subcode"]
        ) from None


def object_answer(state: State, request: Request, object_id: str) -> Answer:
    """
    Answer for a phone number or an Instagram account, with the fields that were asked for.

    :raises RefusalError: if nothing has this id, or it has no such field
    """
    if object_id == "me":
        object_id = state.environment.instagram_account_id
    elif not object_id.isdigit():
        raise missing_object(request.method, object_id)
    is_instagram = _is_instagram(object_id)
    fields = _instagram_fields(state, object_id) if is_instagram else _number_fields(state, object_id)
    wanted = [name for name in request.query().get("fields", "").split(",") if name]
    basic = ("id", "name") if is_instagram else _BASIC
    if unknown := [name for name in wanted if name not in fields]:
        kind = "IGUser" if is_instagram else "WhatsAppBusinessPhoneNumber"
        raise plainly_refused(
            f"(#100) Tried accessing nonexisting field ({unknown[0]}) on node type ({kind})"
        )
    return json_answer(200, {name: fields[name] for name in ("id", *(wanted or basic))})


def debug_token(state: State, request: Request) -> Answer:
    """
    Answer what Graph knows of a token: https://developers.facebook.com/docs/graph-api/reference/debug_token.

    :raises RefusalError: if it is not said of which token
    """
    token = request.query().get("input_token")
    if not token:
        raise plainly_refused("(#100) The parameter input_token is required.")
    if token == request.bearer_token():
        require_token(state)
    account = state.behaviour.account
    now = int(time.time())
    data: Json = {
        "app_id": APP_ID,
        "type": "SYSTEM_USER",
        "application": APP_NAME,
        "data_access_expires_at": 0,
        "expires_at": now + account["token_expires_in"] if account["token_expires_in"] else 0,
        "is_valid": True,
        "issued_at": now - 86_400,
        "scopes": account["permissions"],
        "granular_scopes": [{"scope": scope} for scope in account["permissions"]],
        "user_id": "122100000000000001",
    }
    error = _token_error(state)
    if error is not None:
        data |= {"is_valid": False, "error": error, "scopes": [], "granular_scopes": []}
    return json_answer(200, {"data": data})


def subscribed_apps(state: State, request: Request, object_id: str) -> Answer:
    """
    List the apps that get an account's webhooks, or subscribe this one.

    :raises RefusalError: if nothing has this id, or it is a number's and not its account's
    """
    is_instagram = object_id == "me" or _is_instagram(object_id)
    waba_id = state.number(state.environment.phone_number_id).waba_id
    if not is_instagram and object_id != waba_id:
        if not object_id.isdigit():
            raise missing_object(request.method, object_id)
        raise plainly_refused(
            "(#100) Tried accessing nonexisting field (subscribed_apps) on node type "
            "(WhatsAppBusinessPhoneNumber)"
        )
    if request.method == "POST":
        state.behaviour.account["is_subscribed"] = True
        return json_answer(200, {"success": True})
    if not state.behaviour.account["is_subscribed"]:
        return json_answer(200, {"data": []})
    if is_instagram:
        app: Json = {"link": "https://example.com/", "name": APP_NAME, "id": APP_ID}
        return json_answer(200, {"data": [{**app, "subscribed_fields": INSTAGRAM_FIELDS}]})
    app = {"link": "https://www.facebook.com/games/?app_id=" + APP_ID, "name": APP_NAME, "id": APP_ID}
    return json_answer(200, {"data": [{"whatsapp_business_api_data": app}]})


def _is_instagram(object_id: str) -> bool:
    return object_id.startswith(_INSTAGRAM)


def _token_error(state: State) -> Json | None:
    """Return the error that Graph gives for a token that no longer works; None for one that does."""
    kind = state.behaviour.account["token"]
    if kind == "valid":
        return None
    if kind == "expired":
        message = "Error validating access token: Session has expired on Monday, 30-Nov-26 08:00:00 PST."
        return {"code": 190, "message": message, "subcode": EXPIRED}
    message = (
        "Error validating access token: The session has been invalidated because the user changed their "
        "password or Facebook has changed the session for security reasons."
    )
    return {"code": 190, "message": message, "subcode": REVOKED}


def _number_fields(state: State, phone_number_id: str) -> Json:
    number = state.number(phone_number_id)
    account = state.behaviour.account
    return {
        "id": phone_number_id,
        "verified_name": "Simulated Business",
        "display_phone_number": f"+{number.display_phone_number}",
        "quality_rating": account["quality_rating"],
        "code_verification_status": "VERIFIED",
        "name_status": "APPROVED",
        "status": account["status"],
        "platform_type": "CLOUD_API",
        "account_mode": "LIVE",
        "throughput": {"level": "STANDARD"},
        "conversational_automation": {},
        "quality_score": {"score": account["quality_rating"]},
        "webhook_configuration": {},
        "new_name_status": "NONE",
        "is_on_biz_app": False,
        "is_official_business_account": False,
        "is_pin_enabled": True,
        "is_preverified_number": False,
        "search_visibility": "VISIBLE",
        "eligibility_for_api_business_global_search": "NON_ELIGIBLE_UNDEFINED_COUNTRY",
        "certificate": "",
        "new_certificate": "",
        "last_onboarded_time": "2026-01-15T09:00:00+0000",
        "country_code": "US",
        "country_dial_code": "1",
        "whatsapp_business_manager_messaging_limit": account["messaging_limit"],
        "health_status": _health(number.phone_number_id, number.waba_id, account),
    }


def _health(phone_number_id: str, waba_id: str, account: dict[str, Any]) -> Json:
    can_send = account["can_send_message"]
    faults = account["faults"]
    entities: list[Json] = [
        {"entity_type": kind, "id": object_id, "can_send_message": "AVAILABLE"}
        for kind, object_id in (
            ("PHONE_NUMBER", phone_number_id),
            ("WABA", waba_id),
            ("BUSINESS", BUSINESS_ID),
            ("APP", APP_ID),
        )
    ]
    if can_send != "AVAILABLE":
        entities[1] |= {"can_send_message": can_send, "errors": faults}
    return {"can_send_message": can_send, "entities": entities}


def _instagram_fields(state: State, account_id: str) -> Json:
    return {
        "id": account_id,
        "user_id": account_id,
        "name": "Simulated Account",
        "username": "simulated_business",
        "account_type": "BUSINESS",
        "profile_picture_url": f"{state.environment.base_url}/ig_messaging_cdn/?asset_id={identifiers.mid()}",
    }
