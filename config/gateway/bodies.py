"""
Reads request bodies: within a size, within a time, and within a budget of memory for the whole process.

The first SMALL_BYTES of every body count in one budget and the rest in another, so that a process full of
large bodies still takes in small ones. No client address may use more than half of a budget.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from config.gateway.incoming import Incoming
from config.lib.api.problems import ProblemError, unavailable
from config.lib.asgi import Receive

SMALL_BYTES = 64 * 1024
BODY_SECONDS = 10.0
# A client that sends nothing for so long has lost its connection, or wants to hold ours.
STALL_SECONDS = 10.0
SMALL_BUDGET_BYTES = 32 * 1024 * 1024
LARGE_BUDGET_BYTES = 32 * 1024 * 1024

Admit = Callable[[Incoming], Mapping[str, str]]


class ClientGoneError(Exception):
    """The client closed the connection before its body was complete."""


@dataclass(frozen=True, slots=True)
class BodyRule:
    """
    How large the body of a request may be, and how long it may take.

    `admit` is called in a thread before a body is read that is larger than SMALL_BYTES, or any body with
    `admits_every_size`. It returns headers for the response, or raises ProblemError.
    """

    max_bytes: int = SMALL_BYTES
    seconds: float = BODY_SECONDS
    admit: Admit | None = None
    admits_every_size: bool = False

    def needs_admission(self, request: Incoming) -> bool:
        """Check whether `admit` has to be called for a request."""
        size = request.body_bytes
        return self.admit is not None and (self.admits_every_size or size is None or size > SMALL_BYTES)


class Budget:
    """Bytes that bodies in memory may take, in all and for one client address."""

    def __init__(self, total_bytes: int) -> None:
        self.total_bytes = total_bytes
        self.used_bytes = 0
        self._by_address: Counter[str] = Counter()

    def take(self, address: str, size: int) -> None:
        """
        Reserve `size` bytes.

        :raises ProblemError: 503 if the process or the address has used up its bytes
        """
        is_over = self.used_bytes + size > self.total_bytes
        if is_over or self._by_address[address] + size > self.total_bytes // 2:
            raise unavailable()
        self.used_bytes += size
        self._by_address[address] += size

    def give_back(self, address: str, size: int) -> None:
        """Release `size` bytes."""
        self.used_bytes -= size
        self._by_address[address] -= size
        if not self._by_address[address]:
            del self._by_address[address]


class Budgets:
    """The budgets of one process."""

    def __init__(self, *, small: int = SMALL_BUDGET_BYTES, large: int = LARGE_BUDGET_BYTES) -> None:
        self.small = Budget(small)
        self.large = Budget(large)


class Body:
    """The body of one request; a context that returns its bytes to the budgets when the request ends."""

    def __init__(self, budgets: Budgets, address: str) -> None:
        self._budgets = budgets
        self._address = address
        self._parts: list[bytes] = []
        self._small = self._large = 0

    def __enter__(self) -> "Body":
        return self

    def __exit__(self, *_: object) -> None:
        self._budgets.small.give_back(self._address, self._small)
        self._budgets.large.give_back(self._address, self._large)

    async def read(self, receive: Receive, rule: BodyRule) -> bytes:
        """
        Read the whole body.

        :raises TimeoutError: if it does not arrive in time
        :raises ClientGoneError: if the client closes the connection
        :raises ProblemError: 413 if it is larger than the rule allows, 503 if there is no memory for it
        """
        now = asyncio.get_running_loop().time
        ends_at = now() + rule.seconds
        while True:
            async with asyncio.timeout(min(STALL_SECONDS, ends_at - now())):
                message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            self._add(message.get("body", b""), rule)
            if not message.get("more_body"):
                return b"".join(self._parts)

    def _add(self, part: bytes, rule: BodyRule) -> None:
        size = self._small + self._large + len(part)
        if size > rule.max_bytes:
            raise too_large(rule)
        small = min(len(part), SMALL_BYTES - self._small)
        self._budgets.small.take(self._address, small)
        self._small += small
        self._budgets.large.take(self._address, len(part) - small)
        self._large += len(part) - small
        self._parts.append(part)


def check_announced(request: Incoming, rule: BodyRule) -> None:
    """
    Check the announced size of a body before any of it is read.

    :raises ProblemError: 413 if it is larger than the rule allows
    """
    if (request.body_bytes or 0) > rule.max_bytes:
        raise too_large(rule)


def too_large(rule: BodyRule) -> ProblemError:
    """Return the problem of a body that is larger than its rule allows."""
    detail = f"The body can have at most {rule.max_bytes} bytes here."
    return ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "payload_too_large", detail)
