"""The two kinds of failure a client of a foreign API may raise."""


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
