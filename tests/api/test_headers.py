"""Every answer says how it may be used."""

import os
import subprocess
import sys

import pytest

from tests.api import caller, document, graph
from tests.api.caller import Caller
from tests.rig import PROJECT

pytestmark = pytest.mark.django_db

PAGES = (
    "/docs/",
    "/docs/api",
    "/docs/nowhere",
    "/schema",
    "/schema/redoc",
    "/admin/login/",
    "/admin/nowhere",
)
OTHERS = (
    "/nowhere",
    "/users",
    "/users/",
    "/schema/openapi.json",
    "/schema/openapi.yaml",
    "/health/live",
    "/",
)
GETS = [pytest.param(found, id=found.operation_id) for found in document.protected() if found.method == "get"]


def policy(answer) -> dict[str, str]:
    parts = [part.strip().partition(" ") for part in answer["Content-Security-Policy"].split(";")]
    return {name: value for name, _, value in parts if name}


class TestHeaders:
    @pytest.mark.parametrize("path", [*PAGES, *OTHERS])
    def test_keep_browsers_from_doing_more_than_showing(self, client, path):
        answer = client.get(path)

        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Referrer-Policy"] in {"same-origin", "no-referrer", "strict-origin-when-cross-origin"}
        assert policy(answer)["object-src"] == "'none'"
        assert policy(answer)["base-uri"] == "'none'"
        assert policy(answer)["frame-ancestors"] == "'none'"
        assert answer["X-Frame-Options"] == "DENY"

    @pytest.mark.parametrize("path", PAGES)
    def test_let_no_page_load_from_elsewhere(self, client, path):
        found = policy(client.get(path))

        assert found["default-src"] == "'self'"
        assert "http" not in " ".join(found.values())
        assert "*" not in " ".join(found.values())
        assert "'unsafe-inline'" not in found.get("script-src", "")

    @pytest.mark.parametrize("path", ["/admin/login/", "/admin/", "/nowhere", "/users", "/health/live"])
    def test_have_nobody_keep_what_is_not_public(self, client, path):
        assert "no-store" in client.get(path)["Cache-Control"]

    @pytest.mark.parametrize("operation", GETS)
    def test_have_nobody_keep_what_a_key_opens(self, valkey, operation):
        tenant, operator = graph.build(), caller.operator()
        place = graph.url(operation, tenant.ids)

        answers = [
            operator.get(place),
            operator.get(f"{place}?unknown=1"),
            Caller().get(place),
            operator.put(place),
        ]

        assert [answer.status_code for answer in answers] == [200, 400, 401, 405]
        assert {answer["Cache-Control"] for answer in answers} == {"no-store"}


class TestProduction:
    def test_speaks_https_only(self):
        script = (
            "import django; django.setup(); from django.conf import settings as s;"
            "print(s.SECURE_HSTS_SECONDS, s.SECURE_HSTS_INCLUDE_SUBDOMAINS, s.SECURE_SSL_REDIRECT,"
            " s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.DEBUG)"
        )

        answer = subprocess.run(
            [sys.executable, "-c", script],
            cwd=PROJECT,
            env=os.environ | {"APP_ENV": "production"},
            capture_output=True,
            text=True,
            check=True,
        )

        assert answer.stdout.split() == ["31536000", "False", "True", "True", "True", "False"]

    def test_says_so(self, client, settings):
        settings.SECURE_HSTS_SECONDS, settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = 31_536_000, True
        client.handler.load_middleware()

        answer = client.get("/nowhere", secure=True)

        assert answer["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
