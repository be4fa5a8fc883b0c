"""Every time that the API shows ends in `Z`."""

import json
import re

import pytest

from billing.models import AuditEntry, WebhookDelivery
from extraction.models import Extraction
from tests.api import caller, document, graph

pytestmark = pytest.mark.django_db

_WITH_OFFSET = re.compile(r'"\d{4}-\d\d-\d\dT[\d:.]+[+-]\d\d:\d\d"')
_WITH_Z = re.compile(r'"\d{4}-\d\d-\d\dT[\d:.]+Z"')
# As SQL and earlier versions wrote it.
STORED = "2026-11-24T12:03:01+00:00"


@pytest.fixture
def tenant(db, valkey):
    made = graph.build()
    entry = {"at": STORED, "status": 500, "milliseconds": 3, "error": ""}
    WebhookDelivery.objects.update(log=[entry])
    Extraction.objects.update(corrected={"name": {"by": "key:1", "at": STORED}})
    return made


def test_no_time_of_a_response_has_an_offset(tenant):
    operator, shown = caller.operator(), 0

    for operation in document.protected():
        content = operation.told["responses"].get("200", {}).get("content", {})
        if operation.method != "get" or "application/json" not in content:
            continue
        answer = operator.get(graph.url(operation, tenant.ids))

        assert answer.status_code == 200, operation.operation_id
        assert _WITH_OFFSET.findall(answer.content.decode()) == [], operation.operation_id
        shown += len(_WITH_Z.findall(answer.content.decode()))

    assert shown > 30


def test_new_corrections_and_audit_entries_are_stored_with_a_z(tenant):
    place = f"/users/{tenant.user_id}"
    tenant.caller.patch(f"{place}/extractions/{tenant.ids['extraction_id']}", {"name": "Ada"})
    tenant.caller.post(f"{place}/api_keys", {"name": "short", "expires_at": "2099-01-01T00:00:00Z"})

    [corrected] = Extraction.objects.values_list("corrected", flat=True)
    assert corrected["name"]["at"].endswith("Z")
    entry = AuditEntry.objects.filter(action="api_key.created").latest("pk")
    assert entry.changes["expires_at"]["after"] == "2099-01-01T00:00:00Z"
    assert "+00:00" not in json.dumps(entry.changes)
