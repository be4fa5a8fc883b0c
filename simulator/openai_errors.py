"""
OpenAI's errors in their exact shape.

https://developers.openai.com/api/docs/guides/error-codes
"""

from simulator import identifiers
from simulator.exchange import Answer, Header, RefusalError, json_answer
from simulator.faults import Plan

INVALID = "invalid_request_error"
LOCKED = "Another process is currently operating on this conversation. Please retry in a few seconds."
NO_KEY = (
    "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer "
    "auth (i.e. Authorization: Bearer YOUR_KEY). You can obtain an API key from "
    "https://platform.openai.com/account/api-keys."
)
QUOTA = (
    "You exceeded your current quota, please check your plan and billing details. For more information on "
    "this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors."
)
OVERLOADED = "The engine is currently overloaded, please try again later."
BROKEN = "The server had an error while processing your request. Sorry about that!"
OVERFLOW = "Your input exceeds the context window of this model. Please adjust your input and try again."

# status or status:code -> message, type, param, code
INJECTED: dict[str, tuple[str, str, str | None, str | None]] = {
    "400:conversation_locked": (LOCKED, INVALID, "conversation", "conversation_locked"),
    "400:context_length_exceeded": (OVERFLOW, INVALID, "input", "context_length_exceeded"),
    "401": ("Incorrect API key provided.", INVALID, None, "invalid_api_key"),
    "403": ("You have insufficient permissions for this operation.", INVALID, None, None),
    "404": ("The requested resource was not found.", INVALID, None, None),
    "408": ("Request timed out.", "server_error", None, None),
    "409": ("The resource was updated by another process.", INVALID, None, None),
    "422": ("Unable to process the request.", INVALID, None, None),
    "429": ("Rate limit reached on requests per min (RPM).", "requests", None, "rate_limit_exceeded"),
    "429:insufficient_quota": (QUOTA, "insufficient_quota", None, "insufficient_quota"),
    "500": (BROKEN, "server_error", None, None),
    "503": (OVERLOADED, "service_unavailable_error", None, None),
}
FALLBACK = ("The simulator was told to refuse this request.", INVALID, None, None)
SERVER_FALLBACK = ("Bad gateway.", "server_error", None, None)


def error_answer(
    status: int, message: str, *, kind: str = INVALID, param: str | None = None, code: str | None = None
) -> Answer:
    """Build an error answer."""
    error = {"message": message, "type": kind, "param": param, "code": code}
    return json_answer(status, {"error": error}, response_headers())


def refused(status: int, message: str, *, param: str | None = None, code: str | None = None) -> RefusalError:
    """Build the exception that ends a request with an error answer."""
    return RefusalError(error_answer(status, message, param=param, code=code))


def not_found(thing: str, thing_id: str) -> RefusalError:
    """Build the exception for an id nobody knows."""
    return refused(404, f"{thing} with id '{thing_id}' not found.")


def prompt_ended(prompt: object) -> RefusalError:
    """Build the exception for a dashboard prompt once these have ended; the real answer is not documented."""
    prompt_id = prompt.get("id") if isinstance(prompt, dict) else prompt
    text = f"Prompt with id '{prompt_id}' not found."
    return refused(404, text, param="prompt.id", code="prompt_not_found")


def missing(param: str) -> RefusalError:
    """Build the exception for a parameter that must be there."""
    return refused(
        400, f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter"
    )


def invalid_type(param: str, expected: str) -> RefusalError:
    """Build the exception for a parameter of a wrong type."""
    return refused(400, f"Invalid type for '{param}': expected {expected}.", param=param, code="invalid_type")


def locked() -> RefusalError:
    """Build the exception for a second response at once on one conversation."""
    return refused(400, LOCKED, param="conversation", code="conversation_locked")


def injected_answer(plan: Plan) -> Answer:
    """Build the error answer that the plan wants."""
    status_text, _, name = plan.error.partition(":")
    status = int(status_text)
    fallback = SERVER_FALLBACK if status >= 500 else FALLBACK
    message, kind, param, code = INJECTED.get(plan.error) or INJECTED.get(status_text, fallback)
    answer = error_answer(
        status, plan.step.get("message", message), kind=kind, param=param, code=name or code
    )
    if plan.retry_after is not None:
        answer.headers = [*answer.headers, (b"retry-after", f"{plan.retry_after:g}".encode())]
    return answer


def response_headers() -> list[Header]:
    """Return the headers every answer of OpenAI has."""
    return [(b"x-request-id", identifiers.request_id().encode()), (b"openai-version", b"2020-10-01")]
