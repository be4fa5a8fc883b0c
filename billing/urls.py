"""Addresses of users, keys, credits and webhook endpoints."""

from django.urls import path

from billing.api import openapi as openapi  # noqa: PLC0414  (registers itself)
from billing.api.audit import AuditLogView, OperatorsAuditLogView
from billing.api.credits import CreditsView
from billing.api.keys import KeyRotationView, KeysView, KeyView
from billing.api.users import UsersView, UserView
from billing.api.webhook_deliveries import (
    EndpointTestView,
    RedeliveryView,
    SpanRedeliveryView,
    WebhookDeliveriesView,
    WebhookDeliveryView,
)
from billing.api.webhook_endpoints import SecretRotationView, WebhookEndpointsView, WebhookEndpointView

_ENDPOINTS = "users/<slug:user_id>/webhook_endpoints"
_ENDPOINT = f"{_ENDPOINTS}/<slug:endpoint_id>"
_DELIVERIES = f"{_ENDPOINT}/deliveries"

urlpatterns = [
    path("users", UsersView.as_view(), name="users"),
    path("users/<slug:user_id>", UserView.as_view(), name="user"),
    path("users/<slug:user_id>/api_keys", KeysView.as_view(), name="api-keys"),
    path("users/<slug:user_id>/api_keys/<slug:prefix>", KeyView.as_view(), name="api-key"),
    path("users/<slug:user_id>/api_keys/<slug:prefix>/rotate", KeyRotationView.as_view(), name="rotate"),
    path("users/<slug:user_id>/audit_log", AuditLogView.as_view(), name="audit-log"),
    path("audit_log", OperatorsAuditLogView.as_view(), name="operators-audit-log"),
    path("users/<slug:user_id>/credits", CreditsView.as_view(), name="credits"),
    path(_ENDPOINTS, WebhookEndpointsView.as_view(), name="webhook-endpoints"),
    path(_ENDPOINT, WebhookEndpointView.as_view(), name="webhook-endpoint"),
    path(f"{_ENDPOINT}/rotate_secret", SecretRotationView.as_view(), name="webhook-rotate-secret"),
    path(f"{_ENDPOINT}/test", EndpointTestView.as_view(), name="webhook-test"),
    path(f"{_ENDPOINT}/redeliver", SpanRedeliveryView.as_view(), name="webhook-redeliver-span"),
    path(_DELIVERIES, WebhookDeliveriesView.as_view(), name="webhook-deliveries"),
    path(f"{_DELIVERIES}/<slug:delivery_id>", WebhookDeliveryView.as_view(), name="webhook-delivery"),
    path(f"{_DELIVERIES}/<slug:delivery_id>/redeliver", RedeliveryView.as_view(), name="webhook-redeliver"),
]
