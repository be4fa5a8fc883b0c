"""The addresses of the process `web`; `webhook` has its own (`config/webhook_urls.py`)."""

from django.urls import include, path
from django.views.generic import RedirectView

from channels_app.webchat.pages import ChatPageView, DemoView, ScriptView
from config.admin import site
from config.docs.views import DocumentationView
from config.health import LiveView, ReadyView

urlpatterns = [
    path("admin", RedirectView.as_view(url="/admin/"), name="admin-home"),
    path("admin/", site.urls()),
    path("", include("billing.urls")),
    path("", include("agents.urls")),
    path("", include("conversations.urls")),
    path("", include("extraction.urls")),
    path("", include("privacy.urls")),
    path("", include("config.schema")),
    path("widget.js", ScriptView.as_view(), name="widget"),
    path("webchat/<slug:phone_number_id>", ChatPageView.as_view(), name="webchat-page"),
    path("demo", DemoView.as_view(), name="demo"),
    path("health/live", LiveView.as_view(), name="health-live"),
    path("health/ready", ReadyView.as_view(), name="health-ready"),
    path("", RedirectView.as_view(url="/docs/"), name="home"),
    path("docs", RedirectView.as_view(url="/docs/"), name="docs-home"),
    path("docs/", DocumentationView.as_view(), name="docs"),
    path("docs/<path:address>", DocumentationView.as_view(), name="docs-file"),
]

handler400 = "config.lib.api.failures.bad_request"
handler403 = "config.lib.api.failures.permission_denied"
handler404 = "config.lib.api.failures.page_not_found"
handler500 = "config.lib.api.failures.server_error"
