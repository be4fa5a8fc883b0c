"""Collects the findings about one number."""

from django.conf import settings

from channels_app import number_checks
from channels_app.models import PhoneNumber
from config.lib import sql
from conversations.diagnosis import facts, graph, rows
from conversations.diagnosis.findings import Diagnosis, Finding, Level

_ORDER = (Level.PROBLEM, Level.WARNING, Level.OK)


class UnknownNumberError(Exception):
    """No such number is registered."""


def diagnose(phone_number_id: str, *, asks_graph: bool = True) -> Diagnosis:
    """
    Return why a number is quiet: findings from our rows and from Graph.

    Without `asks_graph` the last check counts. Call it with no transaction open if Graph is asked.

    :raises UnknownNumberError: if no such number was ever registered
    """
    known = facts.read(phone_number_id)
    if known is None:
        raise UnknownNumberError(phone_number_id)
    known["price"] = settings.CREDITS_PER_REPLY
    findings = list(rows.findings(phone_number_id, known))
    if known["deleted_at"] is None and known["type"] != PhoneNumber.Type.WEBCHAT:
        findings += _at_graph(phone_number_id, known, asks_graph=asks_graph)
    return Diagnosis(phone_number_id, tuple(sorted(findings, key=lambda one: _ORDER.index(one.level))))


def _at_graph(phone_number_id: str, known: facts.Facts, *, asks_graph: bool) -> list[Finding]:
    if asks_graph:
        number = PhoneNumber.objects.get(pk=phone_number_id)
        sql.release_connection()
        return list(graph.findings(number_checks.check(number), known["now"]))
    last = number_checks.last(phone_number_id)
    return list(graph.findings(last[0], last[1].checked_at)) if last else []
