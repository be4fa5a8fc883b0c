"""
Regular checks of numbers at Graph: kept for people who look, and reported when a person must act.

A token that expired and a subscription that ended are noticed although nobody writes.
"""

from datetime import timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from channels_app import channel_errors, graph_health
from channels_app.graph_health import GraphHealth
from channels_app.models import NumberCheck, PhoneNumber
from channels_app.senders.graph_codes import Verdict, verdict
from config.lib import sql

log = structlog.get_logger(__name__)

NOT_SUBSCRIBED = "not_subscribed"
BLOCKED = "blocked"
# Alarms of this module, which a later check takes back.
_OWN = (NOT_SUBSCRIBED, BLOCKED)
# Numbers that one run checks; the next one takes the rest.
BATCH = 500
# A token that expires within this time is reported in the log.
SOON = timedelta(days=7)


def check(number: PhoneNumber) -> GraphHealth:
    """
    Ask Graph about a number, store the answer and raise or settle `channel.error`.

    Nothing is raised where Graph could not be reached. Call it with no transaction open.
    """
    health = graph_health.read(number)
    with transaction.atomic():
        if (fault := _fault(health)) is not None:
            channel_errors.record(phone_number_id=number.pk, code=fault[0], reason=fault[1])
        elif health.is_reachable:
            sql.execute(_SETTLE_SQL, [number.pk, list(_OWN)])
        NumberCheck.objects.update_or_create(
            phone_number_id=number.pk,
            defaults={"checked_at": timezone.now(), "health": health.as_json()},
        )
    expires_at = health.expires_at()
    if expires_at is not None and expires_at < timezone.now() + SOON:
        log.warning("number.token_expires", phone_number_id=number.pk, expires_at=expires_at.isoformat())
    return health


def check_due() -> int:
    """Check the numbers whose last check is older than NUMBER_CHECK_HOURS; return how many were checked."""
    hours = settings.NUMBER_CHECK_HOURS
    if not hours:
        return 0
    before = timezone.now() - timedelta(hours=hours)
    due = (
        PhoneNumber.objects.live()
        .exclude(type=PhoneNumber.Type.WEBCHAT)
        .filter(Q(graph_check=None) | Q(graph_check__checked_at__lt=before))
        .order_by(F("graph_check__checked_at").asc(nulls_first=True), "pk")
    )
    checked = 0
    for number in list(due[:BATCH]):
        sql.release_connection()
        check(number)
        checked += 1
    return checked


def last(phone_number_id: str) -> tuple[GraphHealth, NumberCheck] | None:
    """Return what the last check found, and its row; None = there was none."""
    row = NumberCheck.objects.filter(pk=phone_number_id).first()
    return None if row is None else (GraphHealth.from_json(row.health), row)


def _fault(health: GraphHealth) -> tuple[str, str] | None:
    """Return the code and the words of a fault because of which the channel does not work."""
    if health.error_code and verdict(health.error_code) is Verdict.CHANNEL:
        return health.error_code, health.error
    if health.is_subscribed is False:
        return NOT_SUBSCRIBED, "Meta sends this service no webhooks of the account."
    if health.can_send_message == "BLOCKED":
        return BLOCKED, health.obstacles[0] if health.obstacles else "Meta blocks messages of this number."
    return None


_SETTLE_SQL = """
    UPDATE phone_numbers SET alarmed_at = NULL, alarm_code = '', alarm_reason = ''
     WHERE phone_number_id = %s AND alarm_code = ANY(%s)
"""
