"""The addresses of the process `webhook`."""

from django.conf import settings
from django.urls import path

from channels_app.webhook import MetaWebhookView
from config.health import LiveView, ReadyView

webhook = path(settings.WEBHOOK_PATH.lstrip("/"), MetaWebhookView.as_view(), name="webhook-meta")

urlpatterns = [
    webhook,
    path("health/live", LiveView.as_view(), name="health-live"),
    path("health/ready", ReadyView.as_view(), name="health-ready"),
]

handler400 = "config.lib.api.failures.bad_request"
handler403 = "config.lib.api.failures.permission_denied"
handler404 = "config.lib.api.failures.page_not_found"
handler500 = "config.lib.api.failures.server_error"
