"""
The Graph API's errors in their exact shape.

https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes
"""

from simulator import identifiers
from simulator.exchange import Answer, Json, RefusalError, json_answer
from simulator.faults import Plan

# code -> HTTP status, title, details
CODES: dict[int, tuple[int, str, str]] = {
    0: (401, "AuthException", "We were unable to authenticate the app user."),
    1: (400, "API Unknown", "Invalid request or possible server error."),
    2: (503, "API Service", "Temporary due to downtime or due to being overloaded."),
    3: (500, "API Method", "Capability or permissions issue."),
    4: (400, "API Too Many Calls", "The app has reached its API call rate limit."),
    10: (403, "Permission Denied", "Permission is either not granted or has been removed."),
    17: (400, "User request limit reached", "The user has reached the call rate limit."),
    32: (400, "Page request limit reached", "The page has reached its call rate limit."),
    33: (400, "Parameter value is not valid", "The business phone number has been deleted."),
    100: (400, "Invalid parameter", "The request included one or more unsupported or misspelled parameters."),
    102: (401, "API Session", "The session of the access token has ended."),
    190: (401, "Access token has expired", "The access token has expired."),
    200: (403, "Permissions error", "Permission is either not granted or has been removed."),
    368: (403, "Temporarily blocked for policies violations", "The account has been restricted."),
    551: (400, "This person isn't available right now.", "This person isn't available right now."),
    613: (400, "Calls to this api have exceeded the rate limit.", "Too many calls."),
    80002: (400, "Rate limit issues", "The Instagram account has reached its rate limit."),
    80006: (400, "Rate limit issues", "The page has reached its rate limit."),
    80007: (400, "Rate limit issues", "The WhatsApp Business Account has reached its rate limit."),
    130403: (403, "Blocked", "The user blocked the business."),
    130429: (400, "Rate limit hit", "Cloud API message throughput has been reached."),
    130472: (400, "User's number is part of an experiment", "Message was not sent: an experiment."),
    130497: (403, "Business account is restricted from messaging users in this country.", "Restricted."),
    131000: (500, "Something went wrong", "Message failed to send due to an unknown error."),
    131005: (403, "Access denied", "Permission is either not granted or has been removed."),
    131008: (400, "Required parameter is missing", "The request is missing a required parameter."),
    131009: (400, "Parameter value is not valid", "One or more parameter values are invalid."),
    131016: (500, "Service unavailable", "A service is temporarily unavailable."),
    131021: (400, "Recipient cannot be sender", "Sender and recipient phone number is the same."),
    131026: (400, "Message undeliverable", "Message Undeliverable."),
    131031: (403, "Account has been locked", "The account has been restricted or disabled."),
    131037: (400, "Display name not approved", "The number needs an approved display name first."),
    131042: (
        400,
        "Business eligibility payment issue",
        "Message failed to send because there were one or more errors related to your payment method.",
    ),
    131045: (
        500,
        "Incorrect certificate",
        "Message failed to send due to a phone number registration error.",
    ),
    131047: (
        400,
        "Re-engagement message",
        (
            "Message failed to send because more than 24 hours have passed since the customer last replied "
            "to this number."
        ),
    ),
    131048: (
        400,
        "Spam rate limit hit",
        "Message failed to send: too many earlier ones were blocked or flagged.",
    ),
    131049: (400, "Meta chose not to deliver", "Not delivered to keep the ecosystem engaged."),
    131050: (
        400,
        "User stopped marketing messages",
        "The user has chosen to stop receiving marketing messages.",
    ),
    131051: (400, "Unsupported message type", "Message type is not currently supported."),
    131052: (400, "Media download error", "Unable to download the media sent by the user."),
    131053: (400, "Media upload error", "Unable to upload the media used in the message."),
    131056: (
        400,
        "(Business Account, Consumer Account) pair rate limit hit",
        (
            "Message failed to send because there were too many messages sent from this phone number to the "
            "same phone number in a short period of time."
        ),
    ),
    131057: (500, "Account in maintenance mode", "Business Account is in maintenance mode."),
    131062: (400, "Business-scoped user id is not supported", "This message cannot be sent to a BSUID."),
    131064: (400, "Template rate limit hit", "Too many messages of this class."),
    132000: (400, "Template param count mismatch", "Another number of parameters was expected."),
    132001: (404, "Template does not exist", "There is no such template in this language."),
    132005: (400, "Template hydrated text too long", "The text of the template is too long."),
    132007: (400, "Template format character policy violated", "The text violates a policy."),
    132012: (400, "Template parameter format mismatch", "A parameter has another format."),
    132015: (400, "Template is paused", "The template is paused due to low quality."),
    132016: (400, "Template is disabled", "The template is permanently disabled due to low quality."),
    133000: (500, "Incomplete deregistration", "An earlier attempt to deregister the number failed."),
    133004: (503, "Server temporarily unavailable", "Server is temporarily unavailable."),
    133006: (400, "Phone number re-verification needed", "The number must be verified again."),
    133010: (
        400,
        "Phone number not registered",
        "Phone number not registered on the WhatsApp Business Platform.",
    ),
    133015: (400, "Please wait a few minutes", "The number was deleted a moment ago."),
}
MISSING_OBJECT = 33
HTTP_STATUSES = range(400, 600)
CODE_OF_STATUS = {401: 190, 403: 10, 429: 4, 500: 1, 502: 2, 503: 2, 504: 2}


def error_answer(status: int, error: Json, *, kind: str = "OAuthException") -> Answer:
    """Build an error answer."""
    document = {"message": "", "type": kind, **error, "fbtrace_id": identifiers.fbtrace_id()}
    return json_answer(status, {"error": document})


def refused(code: int, details: str, *, subcode: int | None = None) -> RefusalError:
    """Build the exception for a bad WhatsApp message."""
    return RefusalError(_coded(code, subcode=subcode, details=details))


def plainly_refused(
    message: str, *, code: int = 100, status: int = 400, subcode: int | None = None
) -> RefusalError:
    """Build the exception for an error without details, as Graph's own layer and Instagram give it."""
    kind = "GraphMethodException" if subcode == MISSING_OBJECT else "OAuthException"
    error = {"message": message, "code": code, **({"error_subcode": subcode} if subcode else {})}
    return RefusalError(error_answer(status, error, kind=kind))


def missing_object(method: str, object_id: str) -> RefusalError:
    """Build the exception for an id nobody knows."""
    return plainly_refused(
        f"Unsupported {method.lower()} request. Object with ID '{object_id}' does not exist, cannot be "
        "loaded due to missing permissions, or does not support this operation.",
        subcode=MISSING_OBJECT,
    )


def injected_answer(plan: Plan) -> Answer:
    """Build the planned error: ``131056``, ``10:2534022`` (with subcode), ``503`` or ``400:131026``."""
    first, _, second = plan.error.partition(":")
    code, subcode = int(first), int(second) if second.isdigit() else None
    status = None
    if code not in CODES and code in HTTP_STATUSES:
        status, code, subcode = code, CODE_OF_STATUS.get(code, 1) if subcode is None else subcode, None
    answer = _coded(code, subcode=subcode, status=status, message=plan.step.get("message", ""))
    if plan.retry_after is not None:
        answer.headers = [(b"retry-after", f"{plan.retry_after:g}".encode())]
    return answer


def failure(code: int) -> Json:
    """Return code, title and details for a message that fails after it was accepted."""
    _, title, details = CODES.get(code, (400, "Something went wrong", "Simulated."))
    return {"code": code, "title": title, "details": details}


def _coded(
    code: int, *, subcode: int | None = None, details: str = "", status: int | None = None, message: str = ""
) -> Answer:
    usual_status, title, usual_details = CODES.get(code, (400, "Something went wrong", "Simulated."))
    error: Json = {
        "message": message or f"(#{code}) {title}",
        "code": code,
        "error_data": {"messaging_product": "whatsapp", "details": details or usual_details},
    }
    if subcode:
        error["error_subcode"] = subcode
    return error_answer(status or usual_status, error)
