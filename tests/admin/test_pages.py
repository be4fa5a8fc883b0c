"""Every page of the admin: it opens, shows no secret, escapes what others wrote, and asks few questions."""

from html.parser import HTMLParser

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from config.admin.buttons import admin_url
from config.admin.pages import Page
from tests.admin.conftest import CANARY, furnish

# What must come out as text, wherever somebody else may have put it in.
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'",
    "</textarea><svg onload=alert(1)>",
    "{{ 7|add:7 }}{% now 'Y' %}",
    "javascript:alert(1)//`${alert(1)}`",
    "x' x-data='{a:alert(1)}' x-init='alert(1)",
]


class Executed(HTMLParser):
    """Finds what a browser would run of what somebody else wrote."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inside = ""

    def handle_starttag(self, tag, attrs) -> None:
        self._inside = tag
        for name, value in attrs:
            leads = name in {"href", "src", "action", "formaction", "xlink:href"}
            runs = name.startswith(("on", "x-", ":", "@", "hx-")) or (
                leads and (value or "").startswith("javascript:")
            )
            if runs and "alert(1)" in (value or ""):
                self.found.append(f"{tag} {name}={value}")

    def handle_endtag(self, tag) -> None:
        self._inside = ""

    def handle_data(self, data) -> None:
        if self._inside == "script" and "alert(1)" in data:
            self.found.append(data)


def executed(content: str) -> list[str]:
    parser = Executed()
    parser.feed(content)
    return parser.found


def pages() -> dict[str, Page]:
    return {
        f"{model._meta.app_label}_{model._meta.model_name}": page
        for model, page in admin.site._registry.items()
        if isinstance(page, Page) and model is not LogEntry
    }


def rows(house) -> list:
    return [row for row in vars(house).values() if hasattr(row, "_meta")]


def every_address(house) -> list[str]:
    found = [reverse("admin:index")]
    found += [reverse(f"admin:{name}_changelist") for name in pages()]
    for row in rows(house):
        page = admin.site.get_model_admin(type(row))
        found += [admin_url(row), admin_url(row).replace("/change/", "/history/")]
        found += [button.url(page, row) for button in page.buttons]
    for page in pages().values():
        found += [button.url(page) for button in page.list_buttons]
    return found


class TestEveryTable:
    def test_has_a_page(self):
        from django.apps import apps

        rooms = ("billing", "channels_app", "agents", "conversations", "extraction", "privacy")
        ours = {model for room in rooms for model in apps.get_app_config(room).get_models()}

        missing = {model.__name__ for model in ours if not admin.site.is_registered(model)}

        # Shown elsewhere: the shutdowns of models in use on the dashboard, the checks of a number on the page
        # of its diagnosis, deletions as a count of an erasure. The others only prevent repetitions.
        shown_elsewhere = {"ModelShutdown", "NumberCheck", "PendingDeletion", "DeletionRequest"}
        assert missing <= shown_elsewhere | {"IdempotencyKey", "UnsentPicture", "Notice", "Tombstone"}

    def test_has_a_row_here(self, house):
        seen = {f"{row._meta.app_label}_{row._meta.model_name}" for row in rows(house)}

        assert seen == set(pages())

    def test_opens_in_full_and_shows_no_secret(self, house, people):
        for address in every_address(house):
            response = people.superuser.get(address)

            assert response.status_code == 200, address
            assert CANARY not in response.content.decode(), address
            assert house.plain not in response.content.decode()
            assert house.number.access_token[:40] not in response.content.decode()

    def test_is_filtered_and_searched_without_showing_a_secret(self, house, people):
        for name in pages():
            address = reverse(f"admin:{name}_changelist")
            for query in ({"q": house.talk.pk}, {"since": "day"}):
                response = people.superuser.get(address, query)

                assert response.status_code in {200, 302}, (address, query)
                assert CANARY not in response.content.decode(), (address, query)

    def test_is_not_found_by_a_secret(self, house, people):
        for name in pages():
            response = people.superuser.get(reverse(f"admin:{name}_changelist"), {"q": CANARY})

            assert list(response.context["cl"].result_list) == [], name

    def test_finds_a_row_by_its_key(self, house, people):
        for row in rows(house):
            page = admin.site.get_model_admin(type(row))
            address = reverse(f"admin:{page.opts.app_label}_{page.opts.model_name}_changelist")

            response = people.superuser.get(address, {"q": str(row.pk)})

            assert row.pk in [found.pk for found in response.context["cl"].result_list], address

    def test_is_changed_by_no_form_but_a_button(self, house, people):
        for row in rows(house):
            posted = people.superuser.post(admin_url(row), {"name": "x", "text": "x", "status": "done"})
            deleted = people.superuser.post(admin_url(row).replace("/change/", "/delete/"), {"post": "yes"})

            assert (posted.status_code, deleted.status_code) == (403, 403), admin_url(row)

    def test_does_not_count_and_asks_no_question_per_row(self, house, people):
        few = {name: len(asked(people.superuser, name)) for name in pages()}
        for _ in range(4):
            furnish()

        for name in pages():
            statements = asked(people.superuser, name)

            assert len(statements) == few[name], name
            assert len(statements) <= 10, name
            assert not [sql for sql in statements if "COUNT(*)" in sql and "SELECT COUNT" in sql], name


def asked(client: Client, name: str) -> list[str]:
    address = reverse(f"admin:{name}_changelist")
    client.get(address)
    with CaptureQueriesContext(connection) as captured:
        client.get(address)
    return [query["sql"] for query in captured.captured_queries]


@pytest.mark.long
class TestHostileText:
    @pytest.mark.parametrize("hostile", HOSTILE)
    def test_is_text_on_every_page(self, hostile, people):
        house = furnish(name=hostile, text=hostile)

        for address in every_address(house):
            content = people.superuser.get(address).content.decode()

            assert executed(content) == [], address

    def test_is_shown_as_it_was_written_in_the_chat(self, people):
        house = furnish(text="{{ 7|add:7 }} <b>bold</b>")

        content = people.support.get(admin_url(house.talk)).content.decode()

        assert "{{ 7|add:7 }} &lt;b&gt;bold&lt;/b&gt;" in content


class TestHeaders:
    def test_let_a_browser_keep_nothing_and_load_nothing_from_elsewhere(self, people):
        response = people.support.get("/admin/")

        assert "no-store" in response.headers["Cache-Control"]
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "http" not in policy
        assert "frame-ancestors 'none'" in policy

    def test_name_no_other_host(self, house, people):
        content = people.support.get(admin_url(house.talk)).content.decode()

        assert "https://" not in content
        assert "http://" not in content.replace("http://www.w3.org", "")

    def test_of_other_addresses_set_no_cookie(self, client):
        response = client.get("/health/live")

        assert not response.cookies
        assert (
            "Content-Security-Policy" not in response.headers
            or "unsafe-eval" not in response.headers["Content-Security-Policy"]
        )


class TestStaffPages:
    def test_open_for_superusers_only(self, people, accounts):
        for model in (User, Group, LogEntry):
            address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")

            assert people.superuser.get(address).status_code == 200
            assert people.operators.get(address).status_code == 403
            assert people.support.get(address).status_code == 403

    def test_make_staff(self, people):
        made = people.superuser.post(
            reverse("admin:auth_user_add"),
            {"username": "new", "password1": "long-enough-pw-9", "password2": "long-enough-pw-9",
             "usable_password": "true"},
        )  # fmt: skip

        assert made.status_code == 302
        assert User.objects.filter(username="new").exists()
