"""The audit log of a business, and that of operators."""

from functools import cached_property
from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.access import ApiView, TenantView
from billing.audit import Action
from billing.authentication import caller_of
from billing.models import ApiKey, AuditEntry
from config.lib.actors import ActorKind
from config.lib.api.schema import operation, page_serializer
from config.lib.api.serializers import ChoiceField, PageQuery, TimestampField

TAG = "Audit log"
EXAMPLE: dict[str, Any] = {
    "entry_id": 4711,
    "created_at": "2026-11-24T12:00:00Z",
    "user_id": "usr_01KB2T7M3G5Q8R9S0T1V2W3X4Y",
    "actor_kind": "key",
    "actor_id": "9f2c41ab",
    "actor_name": "crm",
    "address": "198.51.100.7",
    "action": "agent.updated",
    "object_kind": "agent",
    "object_id": "agt_01KB2T7M3G5Q8R9S0T1V2W3X4Y",
    "changes": {"name": {"before": "Bakery agent", "after": "Night agent"}},
    "correlation_id": "cor_01KB2T7M3G5Q8R9S0T1V2W3X4Y",
}
_OF_OPERATORS = {
    **EXAMPLE,
    "user_id": None,
    "actor_kind": "staff",
    "actor_id": "otto",
    "actor_name": "Otto Normal",
    "action": "api_key.created",
    "object_kind": "api_key",
    "object_id": "51d0c7e2",
    "changes": {
        "name": {"before": None, "after": "billing"},
        "scope": {"before": None, "after": "full"},
    },
}


class AuditEntrySerializer(serializers.ModelSerializer[AuditEntry]):
    """A change of the configuration."""

    entry_id = serializers.IntegerField(source="id", read_only=True)
    user_id = serializers.CharField(
        read_only=True, allow_null=True, help_text="The business; null = an operator's own key."
    )
    actor_kind = serializers.ChoiceField(
        choices=[kind.value for kind in ActorKind],
        read_only=True,
        help_text="`key`, `staff` (in the admin), `command`, or `system`: the service itself.",
    )
    actor_id = serializers.CharField(
        read_only=True, help_text="The key's prefix, the login of the admin, or the command's name."
    )
    actor_name = serializers.CharField(read_only=True, help_text="The name of the key or person, if any.")
    address = serializers.SerializerMethodField(
        help_text="The IP address of the request; empty where it is not known, or not one of yours."
    )
    action = serializers.CharField(
        read_only=True, help_text="The kind of the object and what was done, such as `agent.updated`."
    )
    object_kind = serializers.CharField(read_only=True, help_text="The kind of the object, such as `agent`.")
    object_id = serializers.CharField(
        read_only=True, help_text="The id of the object; a key's prefix, and of credits the business's id."
    )
    changes = serializers.DictField(
        read_only=True,
        help_text="For each field, `before` and `after`. Secrets, e-mail addresses and URLs show only the "
        "name of the field; long texts are cut.",
    )
    correlation_id = serializers.CharField(read_only=True, help_text="The correlation id of the request.")

    class Meta:
        model = AuditEntry
        fields = (
            *("entry_id", "created_at", "user_id", "actor_kind", "actor_id", "actor_name", "address"),
            *("action", "object_kind", "object_id", "changes", "correlation_id"),
        )
        read_only_fields = fields

    def get_address(self, row: AuditEntry) -> str:
        """Return the address; those of operators and staff are not for businesses."""
        is_visible = caller_of(self.context["request"]).is_operator or (
            row.actor_kind == ActorKind.KEY and row.actor_id in self._own_keys
        )
        return row.address if is_visible else ""

    @cached_property
    def _own_keys(self) -> frozenset[str]:
        """The prefixes of the caller's business's keys; read once for a page."""
        user_id = caller_of(self.context["request"]).user_id
        return frozenset(ApiKey.objects.filter(user_id=user_id).values_list("prefix", flat=True))


_PAGE = page_serializer(AuditEntrySerializer)


class AuditLogQuery(PageQuery):
    """The filters of the audit log."""

    action = ChoiceField(
        choices=[action.value for action in Action], required=False, help_text="Only this action."
    )
    object_id = serializers.CharField(required=False, max_length=100, help_text="Only this object.")
    since = TimestampField(required=False, help_text="At or after this time.")


def _filtered(rows: QuerySet[AuditEntry], query: dict[str, Any]) -> QuerySet[AuditEntry]:
    columns = {"action": "action", "object_id": "object_id", "since": "created_at__gte"}
    return rows.filter(**{column: query[name] for name, column in columns.items() if name in query})


class AuditLogView(TenantView):
    """The audit log of a business."""

    @operation(
        summary="Get the audit log",
        description="Shows who changed keys, prompts, agents, numbers, endpoints, credits or the account, "
        "newest first. With filters, pages may be short: continue until `next_cursor` is null.",
        tag=TAG,
        operation_id="get_audit_log",
        query=AuditLogQuery,
        responses={200: _PAGE},
        response_example={"data": [EXAMPLE], "next_cursor": None},
    )
    def get(self, _request: Request, user_id: str) -> Response:
        """Return a page."""
        query = self.read_query(AuditLogQuery)
        rows = AuditEntry.objects.of(user_id)
        return self.page(
            _filtered(rows, query),
            query=query,
            order=("-id",),
            serializer=AuditEntrySerializer,
            walked=rows if query.keys() - {"limit", "cursor"} else None,
        )


class OperatorsAuditLogView(ApiView):
    """The audit log of all businesses and of operators' own keys."""

    operator_methods = ("GET",)

    @operation(
        summary="Get everybody's audit log",
        description="The entries of all businesses, and those about operators' own keys, newest first. "
        "Operators only.",
        tag=TAG,
        operation_id="get_operators_audit_log",
        query=AuditLogQuery,
        responses={200: _PAGE},
        operators_only=True,
        response_example={"data": [_OF_OPERATORS], "next_cursor": None},
    )
    def get(self, _request: Request) -> Response:
        """Return a page."""
        query = self.read_query(AuditLogQuery)
        rows = AuditEntry.objects.all()
        return self.page(
            _filtered(rows, query),
            query=query,
            order=("-id",),
            serializer=AuditEntrySerializer,
            walked=rows if query.keys() - {"limit", "cursor"} else None,
        )
