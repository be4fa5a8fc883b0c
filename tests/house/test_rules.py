"""The rules of the house that no linter knows."""

import os
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest
from django.urls import URLPattern, URLResolver

from config import urls, webhook_urls
from config.celery import app
from config.lib.jobs import Job
from tests.rig import PROJECT

ROOMS = (
    *("agents", "billing", "channels_app", "config", "conversations", "extraction", "privacy", "simulator"),
)
NOT_OURS = {".venv", ".data", ".git", "__pycache__", ".hypothesis", "staticfiles", "node_modules"}

# Whoever adds a route here says why nobody needs to prove who they are.
PUBLIC_ROUTES = {
    "webhook/meta": "Meta proves itself with a signature over the body",
    "health/live": "asked by orchestrators; tells nothing but that the process answers",
    "health/ready": "asked by orchestrators; names parts, not data",
    "webchat/<slug:phone_number_id>/config": "what the widget shows to everybody; asks which page that is",
    "webchat/<slug:phone_number_id>/sessions": "where visitors get what they prove themselves with",
    "media/<slug:message_id>/<int:index>": "the link is signed, names one file and expires",
    "meta/data_deletion": "Meta proves itself with a signed request",
    "meta/data_deletion/<slug:code>": "for the person whose data was deleted; the code names nobody",
    "widget.js": "the web chat's script, the same for everybody",
    "webchat/<slug:phone_number_id>": "a web chat as a page, as empty as the script; the chat itself asks",
    "demo": "a page of a shop that does not exist, in development only",
    "admin": "leads to the admin, which asks",
    "": "leads to the documentation",
    "docs": "leads to the documentation",
    "docs/": "the documentation, which is in the repository as well",
    "docs/<path:address>": "the documentation, which is in the repository as well",
    "schema": "the documentation of the API",
    "schema/redoc": "the documentation of the API",
    "schema/openapi.json": "the documentation of the API",
    "schema/openapi.yaml": "the documentation of the API",
}

MOST_LINES = 300

VAGUE = {"utils", "util", "helpers", "helper", "common", "services", "service", "misc", "tools", "manager"}
# Put together here, so that this file does not mention them.
OUTSIDE = re.compile("|".join(f"(?<![\\w.])/{place}/\\w" for place in ("work", "home", "root", "Users")))


def files(pattern: str, *, below: Path = PROJECT) -> Iterator[Path]:
    """Go through our files, and not into what is installed or made by tools."""
    for folder, folders, names in os.walk(below):
        folders[:] = sorted(name for name in folders if name not in NOT_OURS and not name.endswith("_cache"))
        yield from (Path(folder, name) for name in sorted(names) if fnmatch(name, pattern))


def modules() -> list[Path]:
    return [path for room in ROOMS for path in files("*.py", below=PROJECT / room)]


def name(path: Path) -> str:
    return str(path.relative_to(PROJECT))


def routes(patterns: list, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        else:
            yield route, pattern


def all_routes() -> list[tuple[str, URLPattern]]:
    """The routes of the processes `web` and `webhook`."""
    return list(dict(routes([*urls.urlpatterns, *webhook_urls.urlpatterns])).items())


def asks_who_is_calling(pattern: URLPattern) -> bool:
    view = getattr(pattern.callback, "cls", None) or getattr(pattern.callback, "view_class", None)
    return bool(getattr(view, "authentication_classes", ()) and getattr(view, "permission_classes", ()))


class TestJobs:
    def test_are_exactly_the_tasks_celery_knows(self):
        app.loader.import_default_modules()

        ours = {task for task in app.tasks if not task.startswith(("celery.", "tests."))}

        assert ours == {job.value for job in Job}

    def test_are_named_after_a_room_and_a_verb(self):
        for job in Job:
            room, _, verb = job.value.partition(".")
            assert room in ROOMS
            assert re.fullmatch(r"[a-z_]+", verb)

    def test_of_the_timetable_exist(self, settings):
        planned = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}

        assert planned <= {job.value for job in Job}


class TestRoutes:
    @pytest.mark.parametrize(
        ("route", "pattern"),
        [
            pytest.param(*found, id=found[0])
            for found in all_routes()
            # Of the admin, tests/admin/test_permissions.py asks each page.
            if not found[0].startswith("admin/")
        ],
    )
    def test_ask_who_is_calling_unless_they_are_written_down(self, route, pattern):
        assert route in PUBLIC_ROUTES or asks_who_is_calling(pattern)

    def test_that_are_written_down_exist(self):
        assert set(PUBLIC_ROUTES) <= {route for route, _ in all_routes()}


class TestModules:
    def test_are_named_after_their_topic(self):
        assert [name(path) for path in modules() if path.stem in VAGUE] == []

    def test_are_short_enough_to_read(self):
        too_long = {name(path) for path in modules() if len(path.read_text().splitlines()) > MOST_LINES}

        assert too_long == set()


class TestMigrations:
    def test_are_named_by_hand(self):
        made = [path.stem for path in files("[0-9]*.py") if path.parent.name == "migrations"]

        assert made
        assert [stem for stem in made if re.search(r"_(initial|auto|auto_\d+|and_more)\b|_auto_", stem)] == []


class TestFiles:
    def test_mention_nothing_outside_the_project(self):
        found = []
        for path in files("*"):
            try:
                text = path.read_text()
            except UnicodeDecodeError:
                continue
            found += [f"{name(path)}: {match[0]}…" for match in OUTSIDE.finditer(text)]

        assert found == []
