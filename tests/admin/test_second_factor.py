"""The second factor: set up, asked for, not to be replayed or guessed, reset, and required on every page."""

import re

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import get_resolver, reverse
from django_otp.plugins.otp_static.models import StaticToken

from config.admin import attempts, second_factor
from config.admin.buttons import admin_url
from config.models import Authenticator, StaffSession
from tests.admin.authenticator import code_for, code_of, secret_on
from tests.admin.conftest import PASSWORD
from tests.house.test_rules import routes

VERIFY = "/admin/second-factor/"
SET_UP = "/admin/second-factor/set-up/"
# Open without a verified session: they lead to one, or away.
OPEN = {"login", "second_factor", "second_factor_set_up", "second_factor_sign_out"}


@pytest.fixture(autouse=True)
def required(settings, valkey):
    attempts._in_process.cache_clear()
    settings.ADMIN_SECOND_FACTOR = "required"


def sign_in(name="sue", *, goal="/admin/", client=None) -> Client:
    client = client or Client()
    response = client.post(
        f"/admin/login/?next={goal}", {"username": name, "password": PASSWORD, "next": goal}
    )
    assert response.status_code == 302
    return client


def enrol(client: Client, user: User) -> list[str]:
    """Set up an authenticator in the session of a client, and return the recovery codes."""
    secret = secret_on(client.get(SET_UP).content.decode())
    response = client.post(SET_UP, {"code": code_for(secret)})
    return re.findall(r"<code>([a-z2-7-]{19})</code>", response.content.decode())


@pytest.fixture
def enrolled(accounts):
    """Sue, with an authenticator; her first code is used up."""
    codes = enrol(sign_in(), accounts.support)
    return accounts.support, codes


class TestSetUp:
    def test_is_where_the_login_leads_without_an_authenticator(self, accounts):
        client = Client()
        response = client.post("/admin/login/", {"username": "sue", "password": PASSWORD, "next": "/admin/"})

        page = client.get(response.url, follow=True)

        assert page.redirect_chain[-1][0] == f"{SET_UP}?next=%2Fadmin%2F"
        assert "data:image/svg+xml" in page.content.decode()
        assert client.get("/admin/").status_code == 302

    def test_opens_the_admin_with_a_code_of_the_app_and_shows_recovery_codes_once(self, accounts):
        client = sign_in()

        codes = enrol(client, accounts.support)

        assert len(set(codes)) == 10
        assert client.get("/admin/").status_code == 200
        assert codes[0] not in client.get("/admin/account/").content.decode()

    def test_refuses_a_wrong_code_and_keeps_the_secret(self, accounts):
        client = sign_in()
        secret = secret_on(client.get(SET_UP).content.decode())

        response = client.post(SET_UP, {"code": "000000"})

        assert "This code is wrong" in response.content.decode()
        assert secret_on(response.content.decode()) == secret
        assert not Authenticator.objects.exists()
        assert client.get("/admin/").status_code == 302

    def test_needs_the_old_code_once_an_authenticator_is_there(self, enrolled):
        client = sign_in()

        response = client.get(SET_UP)

        assert response.url.startswith(VERIFY)
        assert client.post(SET_UP, {"code": "123456"}).url.startswith(VERIFY)

    def test_needs_the_password(self, db):
        for address in (VERIFY, SET_UP):
            assert Client().get(address).url == "/admin/login/"
            assert Client().post(address, {"code": "123456"}).url == "/admin/login/"

    def test_replaces_the_authenticator_and_its_recovery_codes(self, enrolled):
        user, codes = enrolled
        client = sign_in()
        client.post(VERIFY, {"code": codes[0]})
        old = Authenticator.objects.get()

        enrol(client, user)

        assert Authenticator.objects.get().secret != old.secret
        assert client.get("/admin/").status_code == 200
        assert sign_in().post(VERIFY, {"code": codes[1]}).status_code == 200

    def test_stores_neither_secret_nor_recovery_codes_in_clear(self, accounts):
        client = sign_in()
        secret = secret_on(client.get(SET_UP).content.decode())
        codes = enrol(client, accounts.support)

        with connection.cursor() as cursor:
            cursor.execute("SELECT key FROM otp_totp_totpdevice UNION SELECT secret FROM staff_authenticators"
                           " UNION SELECT token FROM otp_static_statictoken")  # fmt: skip
            stored = " ".join(row[0] for row in cursor.fetchall())
        sessions = str([row.get_decoded() for row in StaffSession.objects.all()])
        for plain in (secret, *codes, codes[0].replace("-", "")):
            assert plain not in stored
            assert plain not in sessions

    def test_has_no_page_that_shows_secrets(self, db):
        import django_otp

        shown = {model for model in django_otp.device_classes() if admin.site.is_registered(model)}

        assert shown == set()


class TestCode:
    def test_is_asked_for_after_the_password(self, enrolled):
        user, _ = enrolled
        client = sign_in(goal="/admin/billing/user/")

        assert client.get("/admin/billing/user/").status_code == 302
        response = client.post(VERIFY, {"code": code_of(user, steps=1), "next": "/admin/billing/user/"})

        assert response.url == "/admin/billing/user/"
        assert client.get("/admin/billing/user/").status_code == 200

    def test_is_good_once(self, enrolled):
        user, _ = enrolled
        code = code_of(user, steps=1)
        assert sign_in().post(VERIFY, {"code": code}).status_code == 302

        client = sign_in()
        response = client.post(VERIFY, {"code": code})

        assert "was used before" in response.content.decode()
        assert client.get("/admin/").status_code == 302

    def test_of_somebody_else_does_not_count(self, enrolled, accounts):
        other = sign_in("otto")
        enrol(other, accounts.operators)

        client = sign_in("otto")

        assert client.post(VERIFY, {"code": code_of(enrolled[0], steps=1)}).status_code == 200
        assert client.get("/admin/").status_code == 302

    def test_begins_a_session_of_its_own(self, enrolled):
        client = sign_in()
        before = client.session.session_key

        client.post(VERIFY, {"code": code_of(enrolled[0], steps=1)})

        assert client.session.session_key != before
        assert not StaffSession.objects.filter(pk=before).exists()

    def test_may_be_tried_five_times(self, enrolled):
        client = sign_in()

        statuses = [client.post(VERIFY, {"code": "000000"}).status_code for _ in range(7)]
        right = client.post(VERIFY, {"code": code_of(enrolled[0], steps=1)})

        assert statuses == [200] * 5 + [429] * 2
        assert right.status_code == 429
        assert "Too many attempts" in right.content.decode()

    def test_is_limited_by_name_over_many_addresses(self, enrolled, settings):
        settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}
        client = sign_in()
        client.cookies.pop("admin_browser", None)

        statuses = [
            client.post(VERIFY, {"code": "000000"}, headers={"X-Forwarded-For": f"192.0.2.{n}"}).status_code
            for n in range(14)
        ]

        assert statuses == [200] * 10 + [429] * 4

    @pytest.mark.parametrize(
        "code",
        [
            "",
            "12345",
            "1234567",
            "abcdef",
            "\uff11\uff12\uff13\uff14\uff15\uff16",
            "\x00",
            "-1",
            "1e5",
            "x" * 100,
        ],
    )
    def test_that_is_none_is_refused_clearly(self, enrolled, code):
        response = sign_in().post(VERIFY, {"code": code})

        assert response.status_code == 200
        assert "errors" in response.content.decode()

    def test_leads_nowhere_else(self, enrolled):
        response = sign_in().post(
            VERIFY, {"code": code_of(enrolled[0], steps=1), "next": "https://evil.example/"}
        )

        assert response.url == "/admin/"

    def test_whose_secret_cannot_be_read_is_explained(self, enrolled, settings):
        code = code_of(enrolled[0], steps=1)
        settings.FIELD_ENCRYPTION_KEYS = ["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="]

        response = sign_in().post(VERIFY, {"code": code})

        assert "Ask a superuser to reset it" in response.content.decode()

    def test_can_be_left_for_another_account(self, enrolled):
        client = sign_in()

        response = client.post("/admin/second-factor/sign-out/")

        assert response.url == "/admin/login/"
        assert "_auth_user_id" not in client.session


class TestRecoveryCode:
    def test_signs_in_once(self, enrolled):
        _, codes = enrolled

        assert sign_in().post(VERIFY, {"code": codes[3].upper().replace("-", " ")}).status_code == 302
        again = sign_in().post(VERIFY, {"code": codes[3]})

        assert again.status_code == 200
        assert StaticToken.objects.count() == 9

    def test_stored_form_does_not_sign_in(self, enrolled):
        stored = StaticToken.objects.first().token

        assert sign_in().post(VERIFY, {"code": stored}).status_code == 200

    def test_is_replaced_by_new_ones_which_leaves_the_session_verified(self, enrolled):
        _, codes = enrolled
        client = sign_in()
        client.post(VERIFY, {"code": codes[0]})

        response = client.post("/admin/second-factor/recovery-codes/")

        assert "Recovery codes" in response.content.decode()
        assert client.get("/admin/").status_code == 200
        assert sign_in().post(VERIFY, {"code": codes[1]}).status_code == 200


class TestMode:
    def test_optional_asks_only_those_who_have_set_it_up(self, enrolled, accounts, settings):
        settings.ADMIN_SECOND_FACTOR = "optional"

        assert sign_in("otto").get("/admin/").status_code == 200
        assert sign_in("sue").get("/admin/").status_code == 302

    def test_off_asks_nobody(self, enrolled, settings):
        settings.ADMIN_SECOND_FACTOR = "off"

        assert sign_in("sue").get("/admin/").status_code == 200

    def test_required_ends_what_sessions_without_it_may_do(self, accounts, settings):
        settings.ADMIN_SECOND_FACTOR = "optional"
        client = sign_in()
        assert client.get("/admin/").status_code == 200

        settings.ADMIN_SECOND_FACTOR = "required"

        assert client.get("/admin/").status_code == 302

    @pytest.mark.parametrize(
        ("environment", "mode"), [("production", "required"), ("development", "optional")]
    )
    def test_is_required_in_production_only(self, environment, mode):
        import subprocess
        import sys

        from tests.rig import PROJECT

        script = "from config import settings; print(settings.ADMIN_SECOND_FACTOR)"
        printed = subprocess.run(
            [sys.executable, "-c", script], cwd=PROJECT, env={"APP_ENV": environment, "PATH": ""},
            capture_output=True, text=True, check=True,
        )  # fmt: skip

        assert printed.stdout.strip() == mode


class TestReset:
    def test_by_a_superuser_is_logged_and_ends_sessions(self, enrolled, accounts):
        user, codes = enrolled
        client = sign_in()
        client.post(VERIFY, {"code": codes[0]})
        root = sign_in("root")
        enrol(root, accounts.superuser)

        page = root.get(admin_url(user)).content.decode()
        response = root.post(f"/admin/auth/user/{user.pk}/reset-second-factor/", {})

        assert "reset-second-factor" in page
        assert response.status_code == 302
        assert not second_factor.recovery_codes_left(user)
        assert client.get("/admin/").url.startswith("/admin/login/")
        assert sign_in().get(VERIFY).url.startswith(SET_UP)
        entry = LogEntry.objects.filter(user=accounts.superuser, object_id=str(user.pk)).first()
        assert "reset" in entry.change_message.lower()

    @pytest.mark.parametrize("button", ["reset-second-factor", "sign-out"])
    def test_is_refused_to_others(self, people, accounts, settings, button):
        settings.ADMIN_SECOND_FACTOR = "optional"
        for group in ("support", "operators", "nobody"):
            address = f"/admin/auth/user/{accounts.superuser.pk}/{button}/"

            assert people[group].get(address).status_code == 403
            assert people[group].post(address, {}).status_code == 403

    def test_by_command_as_a_last_resort(self, enrolled):
        _, codes = enrolled
        client = sign_in()
        client.post(VERIFY, {"code": codes[0]})

        call_command("reset_second_factor", "sue", verbosity=0)

        assert not Authenticator.objects.exists()
        assert client.get("/admin/").status_code == 302
        assert LogEntry.objects.filter(change_message__contains="manage.py reset_second_factor").exists()

    def test_of_an_unknown_name_is_an_error(self, db):
        with pytest.raises(CommandError, match="There is no staff account nobody"):
            call_command("reset_second_factor", "nobody")


def admin_addresses(house) -> dict[str, str]:
    """Return an address for every route of the admin."""
    found = {}
    rows = {type(row): row for row in vars(house).values() if hasattr(row, "_meta")}
    for route, pattern in routes(get_resolver().url_patterns):
        if not route.startswith("admin/") or pattern.name in {None, *OPEN}:
            continue
        kwargs = dict.fromkeys(pattern.pattern.converters, "1")
        if pattern.pattern.regex.groups and not kwargs:
            continue
        for model, row in rows.items():
            if "object_id" in kwargs and route.startswith(
                f"admin/{model._meta.app_label}/{model._meta.model_name}/"
            ):
                kwargs["object_id"] = admin.utils.quote(row.pk)
        found[route] = reverse(f"admin:{pattern.name}", kwargs=kwargs)
    return found


@pytest.mark.long
class TestEveryPage:
    @pytest.mark.parametrize("role", ["support", "operators", "nobody", "superuser"])
    def test_is_closed_to_a_session_without_the_second_factor(self, role, house, people):
        addresses = admin_addresses(house)
        assert len(addresses) > 100
        for route, address in addresses.items():
            for method in (people[role].get, people[role].post):
                response = method(address)

                assert response.status_code == 302, (role, route)
                # Django sends who is not signed in from the logout to the index, which asks again.
                assert response.url.startswith(("/admin/login/", "/admin/")), (role, route, response.url)
                assert response.url.startswith("/admin/login/") or route == "admin/logout/", (
                    route,
                    response.url,
                )

    def test_is_closed_to_those_who_have_not_signed_in(self, house):
        client = Client()
        for route, address in admin_addresses(house).items():
            for method in (client.get, client.post):
                response = method(address)

                assert response.status_code == 302, route
                assert response.url.startswith("/admin/login/") or route == "admin/logout/", (
                    route,
                    response.url,
                )

    def test_is_closed_when_the_authenticator_was_set_up_but_no_code_was_given(self, house, enrolled):
        client = sign_in()

        for route, address in admin_addresses(house).items():
            assert client.get(address).status_code == 302, route

    def test_answers_the_same_addresses_to_a_verified_session(self, house, accounts):
        client = sign_in("root")
        enrol(client, accounts.superuser)

        opened = [client.get(address).status_code for address in admin_addresses(house).values()]

        assert opened.count(200) > 80

    def test_changes_nothing_without_the_second_factor(self, house, people):
        people.superuser.post(f"/admin/conversations/conversation/{house.talk.pk}/close/", {})
        people.superuser.post(admin_url(house.business), {"company_name": "x"})

        house.talk.refresh_from_db()
        assert house.talk.is_active
        assert not LogEntry.objects.exists()
