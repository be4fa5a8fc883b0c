"""Usage: what a business used, by day and number."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.access import TenantView
from config.lib.api.problems import unprocessable
from config.lib.api.schema import operation
from config.lib.api.serializers import StrictSerializer
from conversations import usage

TAG = "Usage"
MOST_DAYS = 92
_USUAL = timedelta(days=29)
# Nothing was counted before, and nothing will be after.
_FIRST, _LAST = date(2000, 1, 1), date(2100, 1, 1)
_COUNTED = ("messages_received", "replies_sent", "staff_messages", "tokens_used", "credits_used")
_TOO_LONG = (
    "span_out_of_range",
    f"`since` must not be after `until`, and both span at most {MOST_DAYS} days.",
)
_TOTALS: dict[str, Any] = {
    "messages_received": 41,
    "replies_sent": 39,
    "staff_messages": 2,
    "tokens_used": 18240,
    "credits_used": 39,
}


class UsageTotalsSerializer(serializers.Serializer[Any]):
    """All days and numbers together."""

    messages_received = serializers.IntegerField(help_text="Written by customers.")
    replies_sent = serializers.IntegerField(help_text="Written by the AI, without failed ones.")
    staff_messages = serializers.IntegerField(help_text="Written by members of staff.")
    tokens_used = serializers.IntegerField(help_text="As counted by the model provider.")
    credits_used = serializers.IntegerField(
        help_text="Charges minus refunds; negative on a day with more refunds than charges."
    )


class UsageSerializer(UsageTotalsSerializer):
    """One day on one number."""

    date = serializers.DateField(help_text="The day, in UTC.")
    phone_number_id = serializers.CharField(help_text="The phone number.")


class UsageReportSerializer(serializers.Serializer[Any]):
    """Every day and number with anything to count."""

    since = serializers.DateField(help_text="The first day.")
    until = serializers.DateField(help_text="The last day.")
    totals = UsageTotalsSerializer()
    data = UsageSerializer(many=True)  # type: ignore[assignment]


class UsageQuery(StrictSerializer):
    """Which days, and which number."""

    since = serializers.DateField(
        required=False, help_text="The first day (UTC); default: 29 days before `until`."
    )
    until = serializers.DateField(required=False, help_text="The last day (UTC); default: today.")
    phone_number_id = serializers.CharField(required=False, max_length=50, help_text="Only on this number.")


class UsageView(TenantView):
    """What a business used."""

    @operation(
        summary="Get usage",
        description=f"By day (UTC) and number, at most {MOST_DAYS} days; days without any are left out. "
        "Everything at once, without pages.",
        tag=TAG,
        operation_id="get_usage",
        query=UsageQuery,
        responses={200: UsageReportSerializer},
        errors={422: [_TOO_LONG]},
        response_example={
            "since": "2026-10-26",
            "until": "2026-11-24",
            "totals": _TOTALS,
            "data": [{"date": "2026-11-24", "phone_number_id": "106540352242922", **_TOTALS}],
        },
    )
    def get(self, _request: Request, user_id: str) -> Response:
        """Answer the count."""
        query = self.read_query(UsageQuery)
        since, until = _span(query)
        days = usage.daily(
            user_id=user_id, since=since, until=until, phone_number_id=query.get("phone_number_id")
        )
        report = {
            "since": since,
            "until": until,
            "totals": {name: sum(day[name] for day in days) for name in _COUNTED},
            "data": [{"date": day.pop("day"), **day} for day in days],
        }
        return Response(UsageReportSerializer(report).data)


def _span(query: dict[str, Any]) -> tuple[date, date]:
    until = query.get("until") or datetime.now(tz=UTC).date()
    if not _FIRST <= until <= _LAST:
        raise unprocessable(*_TOO_LONG, field="until")
    since = query.get("since") or until - _USUAL
    if not timedelta(0) <= until - since < timedelta(days=MOST_DAYS):
        raise unprocessable(*_TOO_LONG, field="since")
    return since, until
