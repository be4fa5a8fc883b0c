"""Every address of the service."""

from django.conf import settings
from django.urls import path
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerView, SpectacularYAMLAPIView

from channels_app.webhook import MetaWebhookView
from config.health import LiveView, ReadyView

urlpatterns = [
    path(settings.WEBHOOK_PATH.lstrip("/"), MetaWebhookView.as_view(), name="webhook-meta"),
    path("health/live", LiveView.as_view(), name="health-live"),
    path("health/ready", ReadyView.as_view(), name="health-ready"),
    path("schema", SpectacularSwaggerView.as_view(url_name="schema-json"), name="schema"),
    path("schema/openapi.json", SpectacularJSONAPIView.as_view(), name="schema-json"),
    path("schema/openapi.yaml", SpectacularYAMLAPIView.as_view(), name="schema-yaml"),
]
