"""What drf-spectacular is told about the API as a whole."""

from typing import Any

SETTINGS: dict[str, Any] = {
    "TITLE": "Multi-channel AI agent service",
    "DESCRIPTION": (
        "Answers a business's customers on WhatsApp, Instagram and web chat.\n\nAll requests and "
        "responses are JSON. See [Conventions](/docs/api) for authentication, rate limits, "
        "pagination, idempotency, ETags and errors."
    ),
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "MessageStatus": "conversations.models.message.Message.Status",
        "EventType": "billing.models.event.Event.Type",
        "WebhookDeliveryState": "billing.models.event.WebhookDelivery.State",
        "ChannelEnum": "channels_app.models.PhoneNumber.Type",
        "VariableTypeEnum": ["string", "number", "boolean", "date"],
    },
    "DEFAULT_GENERATOR_CLASS": "config.openapi.ServiceGenerator",
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "config.lib.api.links.add"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {
        "persistAuthorization": True,
        "displayRequestDuration": True,
        "deepLinking": True,
    },
    "TAGS": [
        {"name": "Users", "description": "Businesses that use the service."},
        {"name": "API keys", "description": "API keys of a business."},
        {
            "name": "Audit log",
            "description": "The history of changes to keys, prompts, agents, numbers, endpoints and credits.",
        },
        {"name": "Credits", "description": "The balance of a business and its ledger."},
        {"name": "Phone numbers", "description": "WhatsApp numbers, Instagram accounts and web chats."},
        {"name": "Agents", "description": "The AI agents that answer on phone numbers."},
        {"name": "Prompts", "description": "The instructions of agents, in versions."},
        {"name": "Conversations", "description": "Conversations with customers, and how people take over."},
        {"name": "Messages", "description": "The messages of customers, agents and staff."},
        {
            "name": "Customers",
            "description": "The people who write, and the ids under which the business knows them.",
        },
        {
            "name": "Leads",
            "description": "What was learned from conversations: who the customer is and what they want.",
        },
        {"name": "Webhook endpoints", "description": "Webhook endpoints to which events are posted."},
        {"name": "Usage", "description": "Messages, tokens and credits by day."},
        {"name": "Web chat", "description": "The requests of the widget on a business's pages."},
        {"name": "Webhook", "description": "The address to which Meta delivers webhooks."},
        {"name": "Health", "description": "For monitoring and load balancers."},
    ],
}
