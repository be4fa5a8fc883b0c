"""Where businesses are told what happens, what was sent there, and what was written to them."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.contrib import admin
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from billing.models import Email, WebhookDelivery, WebhookEndpoint
from billing.webhooks import endpoints, redelivery
from billing.webhooks.endpoints import EndpointDisabledError, EndpointNotFoundError
from billing.webhooks.redelivery import TooManyEventsError
from config.admin import widgets
from config.admin.buttons import Button, ButtonForm, Press
from config.admin.pages import Page, link, since

_ERRORS: dict[type[Exception], str] = {
    EndpointDisabledError: "The endpoint is switched off. Switch it on first.",
    EndpointNotFoundError: "The endpoint was deleted.",
    TooManyEventsError: "",
}


class DayForm(ButtonForm):
    """Which day."""

    day = widgets.day("Day", help_text="In UTC.")


def _enable(press: Press) -> str:
    endpoints.change(press.row, is_enabled=True)
    return "switched on; events are sent again"


def _disable(press: Press) -> str:
    endpoints.change(press.row, is_enabled=False)
    return "switched off; no events are sent"


def _test(press: Press) -> str:
    return f"test event sent as {endpoints.send_test(press.row).pk}"


def _redeliver_failed(press: Press) -> str:
    day: date = press.data["day"]
    begins = datetime.combine(day, time(), UTC)
    count = redelivery.span(press.row, since=begins, until=begins + timedelta(days=1), only_failed=True)
    return f"{count} events of {day} are sent once more"


def _redeliver(press: Press) -> str:
    redelivery.again(press.row)
    return "will be sent again"


def _is_on(endpoint: WebhookEndpoint) -> bool:
    return endpoint.deleted_at is None and endpoint.disabled_at is None


def _is_off(endpoint: WebhookEndpoint) -> bool:
    return endpoint.deleted_at is None and endpoint.disabled_at is not None


class _StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, _request: Any, _page: Any) -> list[tuple[str, str]]:
        return [("failing", "failing"), ("off", "switched off"), ("deleted", "deleted")]

    def queryset(self, _request: Any, queryset: Any) -> Any:
        if self.value() == "failing":
            return queryset.filter(deleted_at=None, failing_since__isnull=False)
        if self.value() == "off":
            return queryset.filter(deleted_at=None, disabled_at__isnull=False)
        return queryset.filter(deleted_at__isnull=False) if self.value() == "deleted" else queryset


@admin.register(WebhookEndpoint)
class WebhookEndpointPage(Page):
    """Endpoints, without their secrets."""

    is_audited = True
    list_display = (
        *("endpoint_id", "business", "url", "description", "failing_since", "disabled_at", "deleted_at"),
    )
    list_filter = (_StateFilter,)
    search_fields = ("endpoint_id", "url", "user__user_id", "user__company_name")
    list_select_related = ("user",)
    secret = ("secret", "previous_secret")
    buttons = (
        Button(
            name="enable-endpoint",
            title="Switch on",
            permission="billing.switch_webhookendpoint",
            press=_enable,
            errors=_ERRORS,
            is_offered=_is_off,
            icon="toggle_on",
            explanation="Clears its failures and sends the waiting events. Events from the time it was off "
            "can be redelivered through the API.",
        ),
        Button(
            name="disable-endpoint",
            title="Switch off",
            permission="billing.switch_webhookendpoint",
            press=_disable,
            errors=_ERRORS,
            is_offered=_is_on,
            icon="toggle_off",
            is_dangerous=True,
            explanation="Nothing is sent to it, and no events are queued for it meanwhile.",
        ),
        Button(
            name="test-endpoint",
            title="Send a test",
            permission="billing.test_webhookendpoint",
            press=_test,
            errors=_ERRORS,
            is_offered=_is_on,
            icon="send",
            explanation="Sends an event of type endpoint.test. The list of deliveries shows the result.",
        ),
        Button(
            name="redeliver-failed",
            title="Redeliver a day",
            permission="billing.redeliver_webhookendpoint",
            press=_redeliver_failed,
            form=DayForm,
            errors=_ERRORS,
            is_offered=_is_on,
            icon="replay",
            explanation="Sends the failed events of one day once more.",
        ),
    )


@admin.register(WebhookDelivery)
class WebhookDeliveryPage(Page):
    """What was and is to be sent to endpoints."""

    list_display = (
        "delivery_id",
        "kind",
        "endpoint_link",
        "state",
        "attempts",
        "answered",
        "due_at",
        "ended_at",
    )
    list_filter = (since("whd"), "state")
    looked_up_by = ("delivery_id", "event_id", "endpoint_id")
    search_help_text = "Id of a delivery, an event or an endpoint"
    list_select_related = ("event", "endpoint")
    secret = ("log", "lease_token")
    readonly_fields = ("kind", "tried")
    buttons = (
        Button(
            name="redeliver",
            title="Redeliver",
            permission="billing.redeliver_webhookdelivery",
            press=_redeliver,
            errors=_ERRORS,
            icon="replay",
            explanation="Sends it now, even if it was delivered before. Receivers ignore events they have "
            "already seen.",
        ),
    )

    @admin.display(description="type")
    def kind(self, row: WebhookDelivery) -> str:
        """Return the event's type."""
        return row.event.type

    @admin.display(description="endpoint")
    def endpoint_link(self, row: WebhookDelivery) -> Any:
        """Link to where it goes."""
        return link(row.endpoint)

    @admin.display(description="answered")
    def answered(self, row: WebhookDelivery) -> str:
        """Return the result of the newest attempt."""
        return _came_of(row.log[-1]) if row.log else "-"

    @admin.display(description="log")
    def tried(self, row: WebhookDelivery) -> SafeString | str:
        """Return a line for each attempt."""
        lines = ((attempt.get("at", ""), _came_of(attempt)) for attempt in row.log)
        return format_html_join("", "<div>{}: {}</div>", lines) or "no attempt yet"


@admin.register(Email)
class EmailPage(Page):
    """E-mails to businesses."""

    list_display = ("email_id", "business", "to", "subject", "state", "attempts", "created_at", "sent_at")
    list_filter = (since("eml"), "state")
    looked_up_by = ("email_id", "reference")
    search_help_text = "Id of an e-mail, or of what it tells of"
    list_select_related = ("user",)


def _came_of(attempt: dict[str, Any]) -> str:
    """Return the result of an attempt: the status and how long it took, or why there was none."""
    status = attempt.get("status")
    came = "no answer" if status is None else str(status)
    error = attempt.get("error")
    return f"{came} after {attempt.get('milliseconds', 0)} ms" + (f" ({error})" if error else "")
