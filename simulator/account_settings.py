"""The section `account` of the behaviour: how Graph describes the business's account, and its checks."""

from collections.abc import Mapping
from typing import Any

ACCOUNT_DEFAULTS: dict[str, Any] = {
    "token": "valid",
    "token_expires_in": 0,
    "permissions": ["whatsapp_business_management", "whatsapp_business_messaging"],
    "is_subscribed": True,
    "status": "CONNECTED",
    "quality_rating": "GREEN",
    "messaging_limit": "TIER_10K",
    "can_send_message": "AVAILABLE",
    # Of the account: `error_code`, `error_description` and `possible_solution` of each.
    "faults": [],
}
_CHOICES = {
    "token": ("valid", "expired", "revoked"),
    "quality_rating": ("GREEN", "YELLOW", "RED", "UNKNOWN"),
    "can_send_message": ("AVAILABLE", "LIMITED", "BLOCKED"),
}
_FAULT = {"error_code": int, "error_description": str, "possible_solution": str}


def fault(account: Mapping[str, Any]) -> str:
    """Return what is wrong with the section in words; empty = nothing."""
    for name, choices in _CHOICES.items():
        if account[name] not in choices:
            return f"account.{name} must be one of {', '.join(choices)}"
    if not isinstance(account["is_subscribed"], bool):
        return "account.is_subscribed must be true or false"
    for name in ("status", "messaging_limit"):
        if not isinstance(account[name], str):
            return f"account.{name} must be a text"
    seconds = account["token_expires_in"]
    if isinstance(seconds, bool) or not isinstance(seconds, int) or seconds < 0:
        return "account.token_expires_in must be seconds; 0 = never"
    permissions = account["permissions"]
    if not isinstance(permissions, list) or not all(isinstance(scope, str) for scope in permissions):
        return "account.permissions must be a list of texts"
    return _wrong_faults(account["faults"])


def _wrong_faults(faults: object) -> str:
    wrong = f"account.faults must be a list of objects with {', '.join(_FAULT)}"
    if not isinstance(faults, list):
        return wrong
    for one in faults:
        if not isinstance(one, dict) or set(one) != set(_FAULT):
            return wrong
        if not all(isinstance(one[name], kind) for name, kind in _FAULT.items()):
            return wrong
    return ""
