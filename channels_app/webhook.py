"""
The webhook all of Meta's products post to.

It answers 200 only when everything in the body that can be kept is kept; a body nobody could ever read is
answered 200 too, since Meta would repeat it for days. Where it is served on an event loop,
`webhook_fast_path` stands in front of it.
"""

import hmac

import structlog
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from channels_app import ingest
from channels_app.meta import signature
from channels_app.webchat import limits, server_messages
from channels_app.webchat.server_messages import ServerMessage
from config.lib import failpoints, networks
from config.lib.api.problems import ProblemError, unavailable

log = structlog.get_logger(__name__)

# https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/payload-examples
_EXAMPLE = {
    "object": "whatsapp_business_account",
    "entry": [
        {
            "id": "102290129340398",
            "changes": [
                {
                    "field": "messages",
                    "value": {
                        "messaging_product": "whatsapp",
                        "metadata": {
                            "display_phone_number": "15550783881",
                            "phone_number_id": "106540352242922",
                        },
                        "contacts": [{"profile": {"name": "Ana"}, "wa_id": "16505551234"}],
                        "messages": [
                            {
                                "from": "16505551234",
                                "id": "wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQzQTRB",
                                "timestamp": "1790251200",
                                "type": "text",
                                "text": {"body": "Do you bake rye bread?"},
                            }
                        ],
                    },
                }
            ],
        }
    ],
}

# A web chat's, from the business's own server.
_SERVER_EXAMPLE = {
    "phone_number_id": "web_01KB2T7M3G5Q8R9S0T1V2W3X4Y",
    "customer_phone": "+12025550123",
    "message_text": "Do you bake rye bread?",
    "timestamp": 1790251200,
    "platform_type": "webchat",
    "message_id": "order-4711-question-1",
}


def refusal(*, raw: bytes, signature_header: str, content_type: str) -> int | None:
    """Return the status that a webhook is refused with; None if it is accepted."""
    if not signature.is_valid(raw=raw, header=signature_header, secrets=settings.WEBHOOK_SECRETS):
        log.warning("webhook.signature_refused", size=len(raw))
        return 401
    if content_type.partition(";")[0].strip().lower() not in {"application/json", ""}:
        log.warning("webhook.not_json", content_type=content_type[:100])
        return 415
    return None


class MetaWebhookView(APIView):
    """Receives what WhatsApp and Instagram tell."""

    # Whoever posts proves it with a signature over the raw bytes, so nothing may parse them before.
    authentication_classes = ()
    permission_classes = ()
    parser_classes = ()
    http_method_names = ("get", "post", "head")

    @extend_schema(
        operation_id="verify_webhook",
        summary="Verify the webhook address",
        description="Meta calls this when you set the callback URL. The response is the challenge, "
        "unchanged.",
        tags=["Webhook"],
        auth=[],
        parameters=[
            OpenApiParameter("hub.mode", str, required=True, enum=["subscribe"]),
            OpenApiParameter("hub.verify_token", str, required=True),
            OpenApiParameter("hub.challenge", str, required=True),
        ],
        responses={(200, "text/plain"): OpenApiTypes.STR, 403: None},
        examples=[
            OpenApiExample(
                "The challenge",
                "1158201444",
                media_type="text/plain",
                response_only=True,
                status_codes=["200"],
            )
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        """
        Answer Meta's handshake.

        https://developers.facebook.com/docs/graph-api/webhooks/getting-started
        """
        expected = settings.WEBHOOK_VERIFY_TOKEN.encode()
        token = request.query_params.get("hub.verify_token", "").encode("utf-8", "replace")
        is_known = bool(expected) and hmac.compare_digest(expected, token)
        if request.query_params.get("hub.mode") != "subscribe" or not is_known:
            log.warning("webhook.handshake_refused")
            return HttpResponse(status=403)
        return HttpResponse(
            request.query_params.get("hub.challenge", ""),
            content_type="text/plain",
            headers={"Cache-Control": "no-store"},
        )

    @extend_schema(
        operation_id="receive_webhook",
        summary="Receive a webhook",
        description="Receives webhooks of Meta and messages of a business's own server. Both are signed "
        "with `X-Hub-Signature-256`, an HMAC-SHA256 of the raw body: Meta's with the app "
        "secret, a message of your server with the secret of its web chat.",
        tags=["Webhook"],
        auth=[],
        parameters=[
            OpenApiParameter("X-Hub-Signature-256", str, OpenApiParameter.HEADER, required=True),
        ],
        request=OpenApiTypes.OBJECT,
        examples=[
            OpenApiExample("A customer wrote", _EXAMPLE, request_only=True),
            OpenApiExample("A business's server wrote", _SERVER_EXAMPLE, request_only=True),
        ],
        responses=dict.fromkeys((200, 400, 401, 402, 413, 415, 429, 503)),
    )
    def post(self, request: Request) -> HttpResponse:
        """Store what a webhook tells, and answer 200 with an empty body."""
        try:
            raw = request._request.body  # noqa: SLF001  (DRF would have it parsed first)
        except RequestDataTooBig:
            return HttpResponse(status=413)
        if server_messages.is_marked(raw) and (message := _read_server_message(raw, request)) is not None:
            return _take_server_message(message, request)
        refused = refusal(
            raw=raw,
            signature_header=request.headers.get("X-Hub-Signature-256", ""),
            content_type=request.content_type,
        )
        if refused is not None:
            return HttpResponse(status=refused)
        try:
            webhook = ingest.arrived(raw, now=timezone.now())
            stored = ingest.keep(webhook)
        except ingest.NowhereToKeepError as error:
            log.error("webhook.refused", reason=str(error), size=len(raw))
            return HttpResponse(status=503, headers={"Retry-After": "5"})
        failpoints.reach("P1")
        event = "webhook.spooled" if stored is None else "webhook.received"
        log.info(event, **webhook.parsed.summary, size=len(raw))
        return HttpResponse()


def _read_server_message(raw: bytes, request: Request) -> ServerMessage | None:
    """
    Return a body as a server message; None if it is Meta's.

    A body of Meta's may be parsed at once. Any other costs its sender's address one of the refusals that it
    has in a minute, unless it turns out to be signed.

    :raises ProblemError: 401 without a signature, 429 if the address was refused too often
    """
    header = request.headers.get("X-Hub-Signature-256", "")
    if not signature.is_well_formed(header):
        raise _signature_invalid()
    if not signature.is_valid(raw=raw, header=header, secrets=settings.WEBHOOK_SECRETS):
        try:
            limits.check_refusals(address=_address(request))
        except limits.TooManyError as error:
            headers = {"Retry-After": str(error.seconds)}
            raise ProblemError(
                429, "throttled", f"Too many wrong signatures: {error}.", headers=headers
            ) from error
    return server_messages.read(raw)


def _address(request: Request) -> str:
    return networks.rate_limit_key(BaseThrottle().get_ident(request))


def _signature_invalid() -> ProblemError:
    return ProblemError(401, "signature_invalid", "The body is not signed with the web chat's secret.")


def _take_server_message(message: ServerMessage, request: Request) -> HttpResponse:
    """
    Keep what a business's own server tells, and answer 200 with an empty body.

    :raises ProblemError: if it is not kept
    """
    try:
        server_messages.take(
            message,
            signature_header=request.headers.get("X-Hub-Signature-256", ""),
            now=timezone.now(),
        )
    except server_messages.SignatureRefusedError as error:
        limits.count_refusal(address=_address(request))
        raise _signature_invalid() from error
    except server_messages.MalformedError as error:
        raise ProblemError(400, "server_message_invalid", str(error)) from error
    except server_messages.NoCreditsError as error:
        raise ProblemError(402, "insufficient_credits", "The business has no credits left.") from error
    except limits.TooManyError as error:
        code = "daily_limit_reached" if error.is_daily else "throttled"
        headers = {"Retry-After": str(error.seconds)}
        raise ProblemError(429, code, f"Too many messages: {error}.", headers=headers) from error
    except ingest.NowhereToKeepError as error:
        raise unavailable() from error
    response = HttpResponse()
    # There is no body that it would be the type of.
    del response.headers["Content-Type"]
    return response
