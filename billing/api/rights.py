"""
The rights of API keys: which operations a scope and a restriction to phone numbers include.

Each operation of the API has a rule here. One without a rule is left to keys with all rights.
"""

from enum import Enum

from billing.models import ApiKey

Scope = ApiKey.Scope


class Rule(Enum):
    """What an operation reaches."""

    # A number and what hangs on it. A restricted key may; rows of other numbers do not exist for it.
    NUMBER = "number"
    # What belongs to the whole business. A restricted key may not.
    BUSINESS = "business"
    # Keys. Only an unrestricted key with the scope `full` may.
    KEYS = "keys"


_NUMBER = (
    *("list_agents", "create_agent", "get_agent", "update_agent", "delete_agent", "list_archives"),
    *("list_phone_numbers", "get_phone_number", "update_phone_number", "delete_phone_number"),
    *("rotate_webchat_secret", "get_usage"),
    *("list_customers", "get_customer", "update_customer"),
    *("erase_customer", "get_erasure", "export_customer"),
    *("list_conversations", "get_conversation", "close_conversation", "pause_conversation"),
    *("resume_conversation", "send_message", "list_messages", "get_message", "retry_message"),
    "list_waiting_messages",
    *("list_extractions", "export_extractions", "get_extraction", "update_extraction"),
    "extract_conversation",
)
_BUSINESS = (
    *("list_users", "get_user", "update_user", "get_credits", "change_credits"),
    # A new number is none of those that a restricted key may see.
    "create_phone_number",
    *("list_prompts", "create_prompt", "get_prompt", "update_prompt", "preview_prompt", "rollback_prompt"),
    *("list_prompt_versions", "publish_prompt_version"),
    # Endpoints get the events of all numbers.
    *("list_webhook_endpoints", "create_webhook_endpoint", "get_webhook_endpoint"),
    *("update_webhook_endpoint", "delete_webhook_endpoint", "rotate_webhook_secret", "send_webhook_test"),
    *("list_webhook_deliveries", "get_webhook_delivery", "redeliver_webhook", "redeliver_webhooks"),
    *("get_audit_log", "get_operators_audit_log"),
)
# A new user comes with a key of its own.
_KEYS = ("list_api_keys", "create_api_key", "revoke_api_key", "rotate_api_key", "create_user")

RULES: dict[str, Rule] = {
    **dict.fromkeys(_NUMBER, Rule.NUMBER),
    **dict.fromkeys(_BUSINESS, Rule.BUSINESS),
    **dict.fromkeys(_KEYS, Rule.KEYS),
}


def include(operation_id: str, method: str, *, scope: str, is_restricted: bool) -> bool:
    """Return whether a key's rights include an operation, which is called by an HTTP method in lower case."""
    rule = RULES.get(operation_id, Rule.KEYS)
    if is_restricted and rule is not Rule.NUMBER:
        return False
    if scope == Scope.FULL:
        return True
    if rule is Rule.KEYS:
        return False
    return scope == Scope.WRITE or method == "get"
