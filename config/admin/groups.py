"""
Who may what: the groups `support` and `operators`, made and kept up to date by `migrate`.

They belong to the code: what is changed in them by hand is put back. Whoever needs another mix makes a group.
"""

from typing import Any

from django.apps import apps as current
from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions

# Permissions of buttons, beside Django's add, change, delete and view; by room and table.
OF_BUTTONS = {
    ("conversations", "conversation"): {
        "reply_conversation": "Can answer a customer",
        "pause_conversation": "Can pause the AI",
        "resume_conversation": "Can have the AI answer again",
        "close_conversation": "Can close a conversation",
    },
    ("conversations", "message"): {
        "retry_message": "Can try a failed message again",
        "refund_message": "Can refund a reply whose outcome is unknown",
    },
    ("channels_app", "customer"): {
        "erase_customer": "Can erase a customer",
        "export_customer": "Can export what is stored of a customer",
    },
    ("channels_app", "webchat"): {"rotate_webchat": "Can give a web chat a new secret"},
    ("channels_app", "inboundmessage"): {"replay_inboundmessage": "Can replay the inbox"},
    ("channels_app", "deadletter"): {"replay_deadletter": "Can replay dead letters"},
    ("billing", "credit"): {
        "grant_credit": "Can grant credits",
        "adjust_credit": "Can adjust a balance",
    },
    ("billing", "apikey"): {"revoke_apikey": "Can revoke an API key"},
    ("billing", "webhookendpoint"): {
        "switch_webhookendpoint": "Can switch a webhook endpoint on and off",
        "test_webhookendpoint": "Can send a test to a webhook endpoint",
        "redeliver_webhookendpoint": "Can redeliver a day's events",
    },
    ("billing", "webhookdelivery"): {"redeliver_webhookdelivery": "Can redeliver an event"},
    ("agents", "agent"): {"relink_agent": "Can move an agent to another number"},
    ("agents", "prompt"): {
        "publish_prompt": "Can publish a version of a prompt",
        "rollback_prompt": "Can go back to a version of a prompt",
    },
    ("extraction", "extraction"): {
        "correct_extraction": "Can correct a lead",
        "read_extraction": "Can have a conversation read for its lead",
    },
}

SUPPORT = frozenset(
    {
        "agents.view_agent",
        "agents.view_conversationarchive",
        "agents.view_prompt",
        "agents.view_promptversion",
        "billing.redeliver_webhookdelivery",
        "billing.redeliver_webhookendpoint",
        "billing.test_webhookendpoint",
        "billing.view_email",
        "billing.view_event",
        "billing.view_user",
        "billing.view_webhookdelivery",
        "billing.view_webhookendpoint",
        "channels_app.view_channelevent",
        "channels_app.view_customer",
        "channels_app.view_deadletter",
        "channels_app.view_inboundmessage",
        "channels_app.view_phonenumber",
        "channels_app.view_webchat",
        "conversations.view_conversation",
        "conversations.view_delivery",
        "conversations.view_message",
        "conversations.view_turn",
        "conversations.reply_conversation",
        "conversations.pause_conversation",
        "conversations.resume_conversation",
        "conversations.close_conversation",
        "conversations.retry_message",
        "extraction.correct_extraction",
        "extraction.read_extraction",
        "extraction.view_extraction",
    }
)
OPERATORS = SUPPORT | {
    "agents.add_agent",
    "agents.add_prompt",
    "agents.change_agent",
    "agents.delete_agent",
    "agents.publish_prompt",
    "agents.relink_agent",
    "agents.rollback_prompt",
    "billing.add_apikey",
    "billing.add_user",
    "billing.adjust_credit",
    "billing.change_user",
    "billing.grant_credit",
    "billing.revoke_apikey",
    "billing.switch_webhookendpoint",
    "billing.view_apikey",
    "billing.view_auditentry",
    "billing.view_credit",
    "billing.view_creditentry",
    "channels_app.add_phonenumber",
    "channels_app.change_phonenumber",
    "channels_app.change_webchat",
    "channels_app.delete_phonenumber",
    "channels_app.erase_customer",
    "channels_app.export_customer",
    "channels_app.replay_deadletter",
    "channels_app.replay_inboundmessage",
    "channels_app.rotate_webchat",
    "conversations.refund_message",
    "privacy.view_erasure",
}
GROUPS = {"support": SUPPORT, "operators": OPERATORS}
_ROOMS = ("agents", "billing", "channels_app", "conversations", "extraction", "privacy")


def keep(apps: Apps = current, **_signal: Any) -> None:
    """Create both groups and sync their permissions (idempotent)."""
    try:
        groups = apps.get_model("auth", "Group")
        permissions = apps.get_model("auth", "Permission")
        kinds = apps.get_model("contenttypes", "ContentType")
        for room in _ROOMS:
            apps.get_app_config(room)
    except LookupError:  # in the middle of a history of migrations
        return
    for room in _ROOMS:
        create_permissions(_with_models(apps, room), verbosity=0, apps=apps)
    tables = {(kind.app_label, kind.model): kind for kind in kinds.objects.filter(app_label__in=_ROOMS)}
    permissions.objects.bulk_create(
        [
            permissions(codename=codename, name=name, content_type=tables[table])
            for table, named in OF_BUTTONS.items()
            if table in tables
            for codename, name in named.items()
        ],
        ignore_conflicts=True,
    )
    known = {
        f"{permission.content_type.app_label}.{permission.codename}": permission
        for permission in permissions.objects.filter(content_type__app_label__in=_ROOMS).select_related(
            "content_type"
        )
    }
    for name, granted in GROUPS.items():
        group, _ = groups.objects.get_or_create(name=name)
        group.permissions.set([known[permission] for permission in granted if permission in known])


def _with_models(apps: Apps, room: str) -> Any:
    config = apps.get_app_config(room)
    # A state of migrations has no modules, and without one Django makes no permissions.
    config.models_module = getattr(config, "models_module", None) or True  # type: ignore[assignment]
    return config
