"""config/gateway/shares.py: one business's slow requests leave threads of `web` for the others."""

import asyncio

import psycopg
import pytest
from django.db import connection

from billing import keys
from config import asgi
from config.gateway import shares
from config.gateway.shares import MOST_THREADS, MOST_WAITING, Shares, owner_of
from config.gateway.wsgi_bridge import THREADS
from config.lib.api.problems import ProblemError
from tests.config.gateway_calls import Call
from tests.factories import UserFactory


def get(user_id: str, path: str) -> Call:
    _, key = keys.create(user_id=user_id, name="test")
    return Call("GET", f"/users/{user_id}/{path}", x_api_key=key)


def test_slow_requests_of_one_business_stop_no_other(transactional_db, valkey, servers):
    slow = [get(UserFactory().user_id, "usage")]
    slow += [Call("GET", slow[0].scope["path"]) for _ in range(2 * THREADS)]
    for request in slow[1:]:
        request.scope["headers"] = slow[0].scope["headers"]
    other = get(UserFactory().user_id, "agents")

    async def ask(lock: psycopg.Connection) -> bool:
        waiting = [asyncio.ensure_future(request.to(asgi.application)) for request in slow]
        await asyncio.sleep(0.3)
        await other.to(asgi.application)
        are_waiting = not any(task.done() for task in waiting)
        lock.rollback()
        await asyncio.gather(*waiting)
        return are_waiting

    url = servers.database_url.replace("postgres://", "postgresql://").rsplit("/", 1)[0]
    with psycopg.connect(f"{url}/{connection.settings_dict['NAME']}") as lock:
        lock.execute("LOCK TABLE messages IN ACCESS EXCLUSIVE MODE")
        are_waiting = asyncio.run(ask(lock))

    assert are_waiting
    assert other.status == 200
    assert {request.status for request in slow} == {200}


class TestShares:
    def test_requests_that_wait_are_bounded_and_forgotten_at_the_end(self):
        parts = Shares()
        end = asyncio.Event()

        async def hold(owner: str) -> str:
            try:
                async with parts.thread(owner):
                    await end.wait()
            except ProblemError as problem:
                return str(problem.get_codes())
            return "served"

        async def run() -> list[str]:
            most = MOST_THREADS + MOST_WAITING
            tasks = [asyncio.ensure_future(hold("/users/one")) for _ in range(most + 1)]
            tasks.append(asyncio.ensure_future(hold("/users/other")))
            await asyncio.sleep(0)
            end.set()
            return await asyncio.gather(*tasks)

        answers = asyncio.run(run())

        assert answers == ["served"] * (MOST_THREADS + MOST_WAITING) + ["unavailable", "served"]
        assert len(parts) == 0

    @pytest.mark.parametrize(
        ("path", "owner"),
        [
            ("/users/usr_1/usage", "/users/usr_1"),
            ("/users/usr_1", "/users/usr_1"),
            ("/users", "/users"),
            ("/webchat/web_1/messages", "/webchat/web_1"),
            ("/admin/login/", "/admin"),
            ("/", "/"),
            ("", "/"),
        ],
    )
    def test_owner_is_the_business_the_chat_or_the_part_of_the_service(self, path, owner):
        assert owner_of(path) == owner

    def test_four_owners_share_all_threads(self):
        assert shares.MOST_THREADS * 4 == THREADS
