"""
One HTTP request from its first byte to its response: size, admission, body, response, and every error.

Nothing escapes to the server, which would print it unmasked.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from http import HTTPStatus

import structlog

from config.gateway import wsgi_bridge
from config.gateway.bodies import Body, BodyRule, Budgets, ClientGoneError, check_announced
from config.gateway.incoming import Incoming, read_head
from config.gateway.responses import Response, Sender, discard_body, send_problem, send_response
from config.lib import access_log, event_loop, sql
from config.lib.api.problems import ProblemError, internal_error, no_such_path, unavailable
from config.lib.asgi import Receive, Scope, Send

log = structlog.get_logger(__name__)

_CLOSE = {"Connection": "close"}


class Application:
    """
    The ASGI application of one role.

    :param rule_of: returns the rule for a request's body; None where the role serves nothing
    :param respond: returns the response to a request with its body, and whether its sender was admitted
    :param route_of: returns the template of the route that leads to a path, for the access log
    :param max_requests: how many requests with complete bodies may be worked on at a time; others get 503
    :param owner_of: returns whose share of the request threads a path uses; without it there are no shares
    :param on_start: called once when the process begins to serve
    """

    def __init__(
        self,
        *,
        rule_of: Callable[[Incoming], BodyRule | None],
        respond: Callable[[Incoming, bytes, bool], Awaitable[Response]],
        max_requests: int,
        owner_of: Callable[[str], str] | None = None,
        on_start: Callable[[], None] | None = None,
        route_of: Callable[[str], str] = access_log.route_of,
    ) -> None:
        self._rule_of = rule_of
        self._respond = respond
        self._route_of = route_of
        self._owner_of = owner_of
        self._max_requests = max_requests
        self._on_start = on_start
        self._requests = 0
        self.budgets = Budgets()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or follow the process from its start to its end."""
        if scope["type"] == "lifespan":
            await self._follow_process(receive, send)
        if scope["type"] != "http":
            return
        request = read_head(scope, owner=self._owner_of(scope["path"]) if self._owner_of else "")
        sender = Sender(send)
        with structlog.contextvars.bound_contextvars(correlation_id=request.correlation_id):
            try:
                with access_log.recording(request.record):
                    await self._serve(request, receive, sender)
            finally:
                request.record.measure(status=sender.status)
                request.record.write(status=sender.status)

    async def _follow_process(self, receive: Receive, send: Send) -> None:
        await receive()
        if self._on_start is not None:
            self._on_start()
        watch = asyncio.create_task(event_loop.watch("requests"))
        await send({"type": "lifespan.startup.complete"})
        await receive()
        watch.cancel()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, request: Incoming, receive: Receive, send: Sender) -> None:
        shared: dict[str, str] = {}
        try:
            response = await self._answer(request, receive, shared)
            await send_response(response, receive, send)
        except ClientGoneError:
            request.record.route = self._route_of(request.path)
        except ProblemError as problem:
            request.record.route = self._route_of(request.path)
            await send_problem(problem, request, send, headers=shared | _CLOSE)
            request.record.write(status=send.status)
            await discard_body(receive)
        except Exception as error:  # noqa: BLE001  (the access log has it)
            # The server would print the traceback as it is; in the access log it is masked.
            access_log.note_error(error)
            if not send.has_begun:
                await send_problem(internal_error(), request, send, headers=shared | _CLOSE)

    async def _answer(self, request: Incoming, receive: Receive, shared: dict[str, str]) -> Response:
        """
        Return the response; `shared` gets the headers that every response to an admitted sender has.

        :raises ProblemError: if the request is refused
        :raises ClientGoneError: if the client closes the connection
        """
        rule = self._require_rule(request)
        if is_admitted := rule.needs_admission(request):
            shared |= await _admit(rule, request)
        check_announced(request, rule)
        with Body(self.budgets, request.address) as body:
            try:
                content = await body.read(receive, rule)
            except TimeoutError:
                request.record.route = self._route_of(request.path)
                return Response(HTTPStatus.REQUEST_TIMEOUT, [(b"connection", b"close")])
            return await self._work(request, content, is_admitted=is_admitted)

    def _require_rule(self, request: Incoming) -> BodyRule:
        rule = self._rule_of(request)
        if rule is None:
            raise no_such_path(request.path)
        return rule

    async def _work(self, request: Incoming, content: bytes, *, is_admitted: bool) -> Response:
        if self._requests >= self._max_requests:
            log.warning("request.refused", reason="too many requests at a time")
            raise unavailable()
        self._requests += 1
        try:
            return await self._respond(request, content, is_admitted)
        finally:
            self._requests -= 1


async def _admit(rule: BodyRule, request: Incoming) -> Mapping[str, str]:
    assert rule.admit is not None
    try:
        return await wsgi_bridge.in_thread(request, partial(rule.admit, request))
    except Exception as error:
        if not sql.is_unavailable(error):
            raise
        log.warning("request.not_admitted", error=type(error).__name__)
        raise unavailable() from error
