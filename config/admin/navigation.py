"""The sidebar: the pages one may see, in the words of those who work there."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

# Title, table, icon of Google's Material Symbols.
_GROUPS = (
    (
        "Talks",
        (
            ("Conversations", "conversations.conversation", "forum"),
            ("Messages", "conversations.message", "chat"),
            ("Turns", "conversations.turn", "sync_alt"),
            ("Deliveries", "conversations.delivery", "outgoing_mail"),
            ("Leads", "extraction.extraction", "person_search"),
        ),
    ),
    (
        "Channels",
        (
            ("Numbers", "channels_app.phonenumber", "call"),
            ("Web chats", "channels_app.webchat", "chat_bubble"),
            ("Customers", "channels_app.customer", "contacts"),
            ("Inbox", "channels_app.inboundmessage", "inbox"),
            ("Channel events", "channels_app.channelevent", "notifications"),
            ("Dead letters", "channels_app.deadletter", "unknown_document"),
        ),
    ),
    (
        "Agents",
        (
            ("Agents", "agents.agent", "smart_toy"),
            ("Prompts", "agents.prompt", "edit_note"),
            ("Prompt versions", "agents.promptversion", "history"),
            ("Moves", "agents.conversationarchive", "move_down"),
        ),
    ),
    (
        "Businesses",
        (
            ("Businesses", "billing.user", "store"),
            ("Credits", "billing.credit", "toll"),
            ("Ledger", "billing.creditentry", "receipt_long"),
            ("API keys", "billing.apikey", "key"),
            ("Audit log", "billing.auditentry", "history"),
            ("Events", "billing.event", "campaign"),
            ("Webhook endpoints", "billing.webhookendpoint", "webhook"),
            ("Webhook deliveries", "billing.webhookdelivery", "outbox"),
            ("E-mails", "billing.email", "mail"),
        ),
    ),
    (
        "Staff",
        (
            ("Staff", "auth.user", "badge"),
            ("Groups", "auth.group", "group"),
            ("Log", "admin.logentry", "manage_search"),
        ),
    ),
)


def groups(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the groups in which the signed-in member of staff may see anything."""
    home = {"title": "Dashboard", "icon": "dashboard", "link": reverse("admin:index")}
    groups: list[dict[str, Any]] = [{"title": "", "items": [home]}]
    for title, pages in _GROUPS:
        items = [
            {"title": name, "icon": icon, "link": reverse(f"admin:{table.replace('.', '_')}_changelist")}
            for name, table, icon in pages
            if _may_view(request, table)
        ]
        if items:
            groups.append({"title": title, "separator": True, "items": items})
    return groups


def account(_request: HttpRequest) -> list[dict[str, Any]]:
    """Return the links behind one's own name."""
    return [
        {"title": "Your account", "link": reverse("admin:account")},
        {"title": "Change password", "link": reverse("admin:password_change")},
    ]


def _may_view(request: HttpRequest, table: str) -> bool:
    room, _, name = table.partition(".")
    if room in {"auth", "admin"}:
        return bool(request.user.is_superuser)
    return bool(request.user.has_perm(f"{room}.view_{name}"))
