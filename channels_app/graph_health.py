"""
What Meta says of a number: its token, permissions and subscription, its quality and what it may send.

https://developers.facebook.com/documentation/business-messaging/whatsapp/support/health-status
https://developers.facebook.com/docs/graph-api/reference/debug_token
https://developers.facebook.com/docs/graph-api/reference/whats-app-business-account/subscribed_apps
"""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import urlencode

from django.conf import settings

from channels_app.models import PhoneNumber
from config.lib import outbound
from config.lib.crypto import DecryptionError

_TIMEOUT = 10.0
_WHATSAPP_FIELDS = (
    "id,status,quality_rating,whatsapp_business_manager_messaging_limit,health_status,display_phone_number"
)
WHATSAPP_PERMISSIONS = ("whatsapp_business_messaging", "whatsapp_business_management")
# The field of webhooks that brings messages of Instagram.
_MESSAGES = "messages"


@dataclass(frozen=True, slots=True)
class GraphHealth:
    """
    The answer of Graph; what it did not say, or what it says of no such channel, is None or empty.

    `error_code` and `error` are those of a refused call, or `not_connected` and `no_token` of our own.
    """

    error_code: str = ""
    error: str = ""
    is_subscribed: bool | None = None
    token_expires_at: str | None = None
    missing_permissions: tuple[str, ...] = ()
    status: str = ""
    quality_rating: str = ""
    messaging_limit: str = ""
    can_send_message: str = ""
    obstacles: tuple[str, ...] = ()

    @property
    def is_reachable(self) -> bool:
        """Return whether Graph answered."""
        return self.error_code != "not_connected"

    def expires_at(self) -> datetime | None:
        """Return when the token expires; None = never, or not known."""
        return datetime.fromisoformat(self.token_expires_at) if self.token_expires_at else None

    def as_json(self) -> dict[str, Any]:
        """Return it as it is stored."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        """Return what was stored, also by an earlier version."""
        known = {name: value for name, value in stored.items() if name in cls.__dataclass_fields__}
        for name in ("missing_permissions", "obstacles"):
            known[name] = tuple(known.get(name) or ())
        return cls(**known)


class _RefusedError(Exception):
    """Graph answered with an error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def read(number: PhoneNumber) -> GraphHealth:
    """
    Ask Graph about a number of WhatsApp or Instagram, by up to three requests; raises nothing.

    Call it with no transaction open.
    """
    try:
        token = number.get_access_token()
    except DecryptionError:
        return GraphHealth(error_code="no_token", error="the access token cannot be decrypted")
    if not token:
        return GraphHealth(error_code="no_token", error="there is no access token")
    graph = _Graph(number, token)
    try:
        return graph.whatsapp() if number.type == PhoneNumber.Type.WHATSAPP else graph.instagram()
    except _RefusedError as error:
        return GraphHealth(error_code=error.code, error=str(error))
    except (outbound.NotSentError, outbound.NoAnswerError) as error:
        return GraphHealth(error_code="not_connected", error=str(error))


class _Graph:
    """Graph, asked as one number."""

    def __init__(self, number: PhoneNumber, token: str) -> None:
        is_instagram = number.type == PhoneNumber.Type.INSTAGRAM
        default = settings.INSTAGRAM_API_BASE_URL if is_instagram else settings.WHATSAPP_API_BASE_URL
        self._base = (number.api_base_url or default).rstrip("/")
        self._number = number
        self._token = token

    def whatsapp(self) -> GraphHealth:
        fields = self._get(self._number.pk, fields=_WHATSAPP_FIELDS)
        health = _dictionary(fields.get("health_status"))
        entities = [_dictionary(entity) for entity in _listed(health.get("entities"))]
        debugged = self._debugged()
        scopes = debugged.get("scopes")
        missing = (
            tuple(name for name in WHATSAPP_PERMISSIONS if name not in scopes)
            if isinstance(scopes, list)
            else ()
        )
        expires = debugged.get("expires_at")
        return GraphHealth(
            is_subscribed=self._is_account_subscribed(_id_of(entities, "WABA"), _id_of(entities, "APP")),
            token_expires_at=_moment(expires),
            missing_permissions=missing,
            status=str(fields.get("status") or ""),
            quality_rating=str(fields.get("quality_rating") or ""),
            messaging_limit=str(fields.get("whatsapp_business_manager_messaging_limit") or ""),
            can_send_message=str(health.get("can_send_message") or ""),
            obstacles=_obstacles(entities),
        )

    def instagram(self) -> GraphHealth:
        self._get(self._number.pk, fields="id,username")
        apps = self._get(f"{self._number.sender_id or self._number.pk}/subscribed_apps")
        fields = [_listed(_dictionary(app).get("subscribed_fields")) for app in _listed(apps.get("data"))]
        return GraphHealth(is_subscribed=any(_MESSAGES in of_app for of_app in fields))

    def _is_account_subscribed(self, waba_id: str, app_id: str) -> bool | None:
        """Check whether an app gets the account's webhooks: ours, if Graph said which is ours."""
        if not waba_id:
            return None
        try:
            answer = self._get(f"{waba_id}/subscribed_apps")
        except _RefusedError:
            return None
        apps = [
            _dictionary(_dictionary(row).get("whatsapp_business_api_data"))
            for row in _listed(answer.get("data"))
        ]
        return any(not app_id or str(app.get("id")) == app_id for app in apps)

    def _debugged(self) -> dict[str, Any]:
        """Return what Graph knows of the token; empty where it refuses to say."""
        try:
            return _dictionary(self._get("debug_token", input_token=self._token).get("data"))
        except _RefusedError:
            return {}

    def _get(self, path: str, **query: str) -> dict[str, Any]:
        url = f"{self._base}/{path}" + (f"?{urlencode(query, safe=',')}" if query else "")
        answer = outbound.get_json(url, token=self._token, timeout=_TIMEOUT)
        if "error" in answer or not answer:
            error = _dictionary(answer.get("error"))
            code = str(error.get("code", "unreadable"))
            raise _RefusedError(code, str(error.get("message", "an answer nobody can read"))[:255])
        return answer


def _obstacles(entities: list[dict[str, Any]]) -> tuple[str, ...]:
    """Return Meta's words on why something may not be sent."""
    obstacles = []
    for entity in entities:
        for error in _listed(entity.get("errors")):
            fields = _dictionary(error)
            words = (
                fields.get("error_code"),
                fields.get("error_description"),
                fields.get("possible_solution"),
            )
            obstacles.append(" ".join(str(word) for word in words if word)[:500])
    return tuple(obstacles[:10])


def _id_of(entities: list[dict[str, Any]], kind: str) -> str:
    return next((str(entity.get("id", "")) for entity in entities if entity.get("entity_type") == kind), "")


def _moment(seconds: object) -> str | None:
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not 0 < seconds < 253_402_300_800:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _dictionary(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
