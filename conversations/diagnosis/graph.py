"""Findings from what Meta says of a number."""

from collections.abc import Iterator
from datetime import datetime

from channels_app.graph_health import GraphHealth
from channels_app.number_checks import SOON
from channels_app.senders.graph_codes import Verdict, verdict
from conversations.diagnosis.findings import Finding, Level, Remedy, ok, span


def findings(health: GraphHealth, now: datetime) -> Iterator[Finding]:
    """Yield a finding for each thing that Graph was asked; only one if it refused."""
    if health.error_code == "not_connected":
        yield Finding(
            "meta",
            Level.WARNING,
            f"Graph could not be asked: {health.error}.",
            "Check the service's connection to the internet, and the number's Graph address.",
            Remedy.EDIT_NUMBER,
        )
        return
    if health.error_code:
        yield _refused(health)
        return
    yield _token(health, now)
    if health.missing_permissions:
        yield Finding(
            "permissions",
            Level.PROBLEM,
            f"The access token lacks the permissions {', '.join(health.missing_permissions)}.",
            "Create a token with these permissions at Meta and put it in.",
            Remedy.EDIT_NUMBER,
        )
    yield _subscription(health)
    yield from _quality(health)


def _refused(health: GraphHealth) -> Finding:
    if health.error_code == "no_token":
        text = f"The number cannot be used: {health.error}."
    else:
        text = f"Graph refuses the access token or the number: {health.error_code} {health.error}"
    is_about_channel = health.error_code == "no_token" or verdict(health.error_code) is Verdict.CHANNEL
    return Finding(
        "token",
        Level.PROBLEM if is_about_channel else Level.WARNING,
        text,
        "Create a new access token at Meta and put it in." if is_about_channel else "Try again later.",
        Remedy.EDIT_NUMBER,
    )


def _token(health: GraphHealth, now: datetime) -> Finding:
    expires_at = health.expires_at()
    if expires_at is None:
        return ok("token", "Graph takes the access token.")
    left = expires_at - now
    text = f"The access token expires in {span(left)}, on {expires_at:%Y-%m-%d %H:%M} UTC."
    if left > SOON:
        return ok("token", text)
    return Finding(
        "token",
        Level.WARNING,
        text,
        "Create a token that does not expire, of a system user, at Meta and put it in.",
        Remedy.EDIT_NUMBER,
    )


def _subscription(health: GraphHealth) -> Finding:
    if health.is_subscribed is False:
        return Finding(
            "subscription",
            Level.PROBLEM,
            "Meta sends this service no webhooks of the account: the app is not subscribed.",
            "Subscribe the app: `POST /<account id>/subscribed_apps` at Graph, or in Meta's dashboard.",
        )
    if health.is_subscribed is None:
        return ok("subscription", "Graph does not say whether the app is subscribed.")
    return ok("subscription", "The app gets the account's webhooks.")


def _quality(health: GraphHealth) -> Iterator[Finding]:
    if health.can_send_message in {"BLOCKED", "LIMITED"}:
        is_blocked = health.can_send_message == "BLOCKED"
        why = "; ".join(health.obstacles) or "Meta gives no reason."
        yield Finding(
            "sending",
            Level.PROBLEM if is_blocked else Level.WARNING,
            f"Meta {'blocks' if is_blocked else 'limits'} the messages of this number: {why}",
            "Solve it in Meta's WhatsApp Manager.",
        )
    if health.quality_rating in {"RED", "YELLOW"}:
        yield Finding(
            "quality",
            Level.WARNING,
            f"Customers block or report the number: its quality is {health.quality_rating}.",
            "Have the agent write less, and only what customers ask for.",
        )
    elif health.quality_rating:
        limit = f"; the messaging limit is {health.messaging_limit}" if health.messaging_limit else ""
        yield ok("quality", f"The quality of the number is {health.quality_rating}{limit}.")
    if health.status and health.status != "CONNECTED":
        yield Finding(
            "status",
            Level.PROBLEM,
            f"At Meta the number is {health.status}, not CONNECTED.",
            "Register the number in Meta's WhatsApp Manager.",
        )
