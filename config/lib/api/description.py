"""What drf-spectacular is told about the API as a whole."""

from typing import Any

SETTINGS: dict[str, Any] = {
    "TITLE": "Multi-channel AI agent service",
    "DESCRIPTION": "Answers a business's customers on WhatsApp, Instagram and web chat.\n\n"
    "Everything here is JSON. How keys, rate limits, pages, Idempotency-Key, ETags and errors work is told "
    "once in [the conventions](/docs/api).",
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
        {"name": "API keys", "description": "Keys of a business."},
        {"name": "Audit log", "description": "Who changed which part of a configuration."},
        {"name": "Credits", "description": "What a business may spend, and where it went."},
        {"name": "Phone numbers", "description": "WhatsApp numbers, Instagram accounts and web chats."},
        {"name": "Agents", "description": "Who answers on a number."},
        {"name": "Prompts", "description": "What agents speak with, in versions."},
        {"name": "Conversations", "description": "Talks with customers, and how people take part."},
        {"name": "Messages", "description": "What was said."},
        {
            "name": "Customers",
            "description": "Who writes, and the id under which the business knows them.",
        },
        {"name": "Leads", "description": "What was learned from conversations."},
        {"name": "Webhook endpoints", "description": "Where a business is told what happens."},
        {"name": "Usage", "description": "What was done, and what was left behind."},
        {"name": "Web chat", "description": "What the widget on a business's page asks for."},
        {"name": "Webhook", "description": "Where Meta delivers."},
        {"name": "Health", "description": "For whoever watches the service."},
    ],
}
