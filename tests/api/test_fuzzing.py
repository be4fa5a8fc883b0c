"""The API as it is served: whatever is sent is answered as documented, quickly and without a fault."""

import json
import time

import pytest
import requests
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import environment
from tests.api import caller, document, fuzzing, graph

# Seconds of this thread's CPU; what is read without bound takes minutes, a collection of garbage a moment.
SOON = 2.0
LISTS = [
    pytest.param(found, id=found.operation_id)
    for found in document.protected()
    if found.method == "get" and "cursor" in found.parameters("query")
]
WRITES = [
    pytest.param(found, id=found.operation_id) for found in document.protected() if found.body is not None
]
DANGEROUS = (
    "'",
    '"; DROP TABLE users; --',
    "1 OR 1=1",
    "%00",
    "\\",
    "${jndi:x}",
    "(a+)+$",
    "%",
    "_",
    "\u202e",
)
TRAVERSALS = (
    "user__api_keys__hashed_key",
    "user_id__gt",
    "pk__in",
    "ordering",
    "sort",
    "search",
    "format",
    "fields",
)


@pytest.fixture
def tenant(db, valkey):
    return graph.build()


@pytest.fixture(scope="module")
def served(_rig):
    with fuzzing.serving(_rig):
        yield environment.API_URL


class TestQueries:
    pytestmark = pytest.mark.django_db

    @pytest.mark.parametrize("operation", LISTS)
    def test_with_metacharacters_find_nothing_and_break_nothing(self, tenant, operation):
        operator, place = caller.operator(), graph.url(operation, tenant.ids)
        names = [name for name in operation.parameters("query") if name not in {"limit"}]

        with CaptureQueriesContext(connection) as queries:
            answers = [
                operator._client.get(place, {name: text}, headers={"x-api-key": operator.key})
                for name in names
                for text in DANGEROUS
            ]

        assert {answer.status_code for answer in answers} <= {200, 400}
        assert len(queries) <= 8 * len(answers)

    @pytest.mark.parametrize("operation", LISTS)
    def test_do_not_reach_into_tables(self, tenant, operation):
        operator, place = caller.operator(), graph.url(operation, tenant.ids)

        for name in TRAVERSALS:
            answer = operator.get(f"{place}?{name}=1")

            assert answer.status_code == 400
            [error] = answer.json()["errors"]
            assert (error["field"], error["code"]) == (name, "unknown_field")
            assert error["detail"].startswith("There is no query parameter with this name.")

    @pytest.mark.parametrize("operation", LISTS)
    @pytest.mark.parametrize(
        "asked",
        [
            "limit=1000000000",
            "limit=-1",
            "limit=0",
            "limit=1e3",
            "limit=",
            "limit=99999999999999999999999999",
            "offset=1000000000000",
            "page=2",
            "limit=1&limit=2",
            "cursor=" + "A" * 100_000,
            "cursor=W10",
            "&".join(f"x{n}=1" for n in range(900)),
            "cursor=%00",
        ],
        ids=lambda asked: asked[:30],
    )
    def test_past_the_limits_are_refused_at_once(self, tenant, operation, asked):
        operator, place = caller.operator(), graph.url(operation, tenant.ids)
        began = time.thread_time()

        answer = operator.get(f"{place}?{asked}")

        assert answer.status_code == 400
        assert time.thread_time() - began < SOON


class TestBodies:
    pytestmark = pytest.mark.django_db

    @pytest.mark.parametrize("operation", WRITES)
    def test_past_the_limits_are_refused_at_once(self, tenant, operation):
        operator, place = caller.operator(), graph.url(operation, tenant.ids)
        name = next(iter(operation.body.get("properties", {"x": {}})))
        known = graph.body(operation, tenant.ids)
        texts = {
            "a megabyte of text": (json.dumps(known | {name: "x" * 1_000_000}), {400}),
            "more than a megabyte": (json.dumps(known | {name: "x" * 1_100_000}), {413}),
            "deep lists": (f'{{"{name}": {"[" * 200}{"]" * 200}}}', {400}),
            "deep objects": ('{"a":' * 5000 + "1" + "}" * 5000, {400}),
            "many names": (json.dumps(known | {f"x{n}": 1 for n in range(10_000)}), {400}),
            "a huge number": (json.dumps(known)[:-1] + f', "{name}": {"9" * 10_000}}}', {400}),
            "half a body": (json.dumps(known)[:-1], {400}),
        }

        for what, (text, expected) in texts.items():
            began = time.thread_time()
            answer = getattr(operator, operation.method)(place, text, Idempotency_Key="one")

            assert answer.status_code in expected, (what, answer.content)
            assert time.thread_time() - began < SOON, what


class TestServed:
    @pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS", "TRACE", "BREW"])
    @pytest.mark.parametrize(
        "path", ["/users", "/nowhere", "/schema", "/docs/", "/health/live", "/admin/login/"]
    )
    def test_tells_no_version_and_is_not_sniffed(self, served, method, path):
        answer = requests.request(method, f"{served}{path}", timeout=60, allow_redirects=False)

        assert answer.status_code < 500
        assert answer.headers.get("server", "granian") == "granian"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"]
        assert "x-powered-by" not in answer.headers
        assert method != "HEAD" or answer.content == b""

    @pytest.mark.long
    def test_finds_nothing_wrong_with_what_schemathesis_tries(self, served, tmp_path):
        code = fuzzing.run("--max-examples", "2", folder=tmp_path)

        assert code == 0
