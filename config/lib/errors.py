"""The two kinds of failure a client of a foreign API may raise, and how an unexpected error is named."""

import traceback
from pathlib import Path

import psycopg

_PROJECT = Path(__file__).parent.parent.parent


class ForeignError(Exception):
    """
    A foreign API did not do what was asked.

    `code` is the vendor's own code, `request_id` its id for the call; neither the message nor any other
    attribute may hold a token, message text or a phone number.
    """

    def __init__(self, message: str, *, code: str = "", request_id: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.request_id = request_id


class UnavailableError(ForeignError):
    """Worth trying again, or of unknown outcome: a timeout, a refused connection, a 5xx, a rate limit."""

    def __init__(
        self, message: str, *, code: str = "", request_id: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(message, code=code, request_id=request_id)
        self.retry_after = retry_after


class RejectedError(ForeignError):
    """Never worth trying again as it stands: the API understood and refused."""


def summary(error: BaseException) -> str:
    """
    Return an error's type, its SQLSTATE and constraint, and the line of ours that raised it.

    Its message is left out: it may quote a customer's words or phone number.
    """
    source = error if isinstance(error, psycopg.Error) else error.__cause__
    parts = [type(error).__name__]
    if isinstance(source, psycopg.Error):
        parts += [source.sqlstate or "", source.diag.constraint_name or ""]
    places = [
        f"at {Path(frame.filename).relative_to(_PROJECT)}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if _is_ours(frame.filename)
    ]
    return " ".join(part for part in (*parts, *places[-1:]) if part)


def _is_ours(filename: str) -> bool:
    path = Path(filename)
    # Every statement passes sql.py: its caller says more.
    return path.is_relative_to(_PROJECT) and ".venv" not in path.parts and path.name != "sql.py"
