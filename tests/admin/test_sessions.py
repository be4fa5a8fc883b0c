"""Sessions of the admin: listed with what one recognizes them by, and ended one by one or all at once."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from config.admin import attempts, sessions
from config.admin.buttons import admin_url
from config.models import StaffSession
from tests.admin.conftest import PASSWORD

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " Version/18.0 Mobile/15E148 Safari/604.1"
)


@pytest.fixture(autouse=True)
def fresh(valkey):
    attempts._in_process.cache_clear()


def sign_in(name="sue", *, agent=FIREFOX) -> Client:
    client = Client(headers={"User-Agent": agent})
    assert client.post("/admin/login/", {"username": name, "password": PASSWORD}).status_code == 302
    return client


def is_signed_in(client: Client) -> bool:
    return client.get("/admin/").status_code == 200


class TestList:
    def test_shows_browser_address_and_times_of_each_session(self, accounts):
        desk, _phone = sign_in(), sign_in(agent=IPHONE)

        content = desk.get("/admin/account/").content.decode()

        assert "Firefox on Linux" in content
        assert "Safari on iPhone" in content
        assert "127.0.0.1" in content
        assert content.count("this session") == 1

    def test_shows_no_session_key(self, accounts, people):
        phone = sign_in(agent=IPHONE)

        for page in ("/admin/account/", reverse("admin:staff_sessions", args=[accounts.support.pk])):
            content = people.superuser.get(page).content.decode()
            assert phone.session.session_key not in content

    def test_shows_nobody_elses_sessions(self, accounts):
        sign_in("otto", agent=IPHONE)

        assert "iPhone" not in sign_in().get("/admin/account/").content.decode()

    def test_moves_last_seen_once_a_minute(self, accounts):
        client = sign_in()
        earlier = timezone.now() - timedelta(hours=1)
        StaffSession.objects.update(last_seen_at=earlier, created_at=earlier)

        client.get("/admin/", headers={"User-Agent": IPHONE})
        seen = StaffSession.objects.get()
        client.get("/admin/")

        assert seen.last_seen_at > earlier + timedelta(minutes=59)
        assert StaffSession.objects.get().last_seen_at == seen.last_seen_at
        assert (seen.created_at, sessions.browser_name(seen.user_agent)) == (earlier, "Safari on iPhone")

    @pytest.mark.parametrize("agent", ["", "<script>alert(1)</script>", "x" * 5000])
    def test_takes_any_user_agent(self, accounts, agent):
        client = sign_in(agent=agent)

        content = client.get("/admin/account/").content.decode()

        assert "Unknown browser" in content
        assert "<script>alert(1)" not in content


class TestEnd:
    def test_ends_one_session(self, accounts):
        desk, phone, tablet = sign_in(), sign_in(agent=IPHONE), sign_in()
        listed = sessions.of_user(accounts.support)
        of_phone = next(session for session in listed if "iPhone" in session.browser)

        desk.post("/admin/account/end-session/", {"session": of_phone.id})

        assert not is_signed_in(phone)
        assert is_signed_in(desk)
        assert is_signed_in(tablet)

    def test_ends_all_others(self, accounts):
        desk, others = sign_in(), [sign_in(), sign_in(agent=IPHONE)]

        response = desk.post("/admin/account/end-session/", follow=True)

        assert "2 sessions ended." in response.content.decode()
        assert is_signed_in(desk)
        assert not any(is_signed_in(other) for other in others)

    def test_ends_no_session_of_somebody_else(self, accounts):
        desk, otto = sign_in(), sign_in("otto")
        foreign = sessions.of_user(accounts.operators)[0]

        desk.post("/admin/account/end-session/", {"session": foreign.id})
        desk.post("/admin/account/end-session/")

        assert is_signed_in(otto)

    def test_needs_a_post(self, accounts):
        desk, phone = sign_in(), sign_in()

        assert desk.get("/admin/account/end-session/").status_code == 405
        assert is_signed_in(phone)

    def test_by_a_superuser_ends_sessions_of_another_and_is_logged(self, accounts, people):
        phone = sign_in(agent=IPHONE)
        page = reverse("admin:staff_sessions", args=[accounts.support.pk])
        assert page in people.superuser.get(admin_url(accounts.support)).content.decode()

        people.superuser.post(page)

        assert not is_signed_in(phone)
        assert is_signed_in(people.superuser)
        assert LogEntry.objects.filter(
            user=accounts.superuser, object_id=str(accounts.support.pk), change_message="Sessions ended."
        ).exists()

    def test_by_the_button_of_the_staff_page(self, accounts, people):
        phone = sign_in(agent=IPHONE)

        people.superuser.post(f"/admin/auth/user/{accounts.support.pk}/sign-out/", {})

        assert not is_signed_in(phone)

    @pytest.mark.parametrize("role", ["support", "operators", "nobody"])
    def test_of_another_is_refused_to_those_who_are_no_superusers(self, role, accounts, people):
        page = reverse("admin:staff_sessions", args=[accounts.superuser.pk])

        assert people[role].get(page).status_code == 403
        assert people[role].post(page).status_code == 403
        assert is_signed_in(people.superuser)


class TestAccountChanges:
    def test_own_password_change_ends_other_sessions(self, accounts):
        desk, phone = sign_in(), sign_in(agent=IPHONE)
        new = "another long password 1"

        changed = desk.post(
            "/admin/password_change/", {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
        )

        assert changed.status_code == 302
        assert is_signed_in(desk)
        assert not is_signed_in(phone)
        assert StaffSession.objects.filter(user=accounts.support).count() == 1

    def test_password_set_by_a_superuser_ends_all_sessions(self, accounts, people):
        phone, new = sign_in(), "another long password 1"

        people.superuser.post(
            f"/admin/auth/user/{accounts.support.pk}/password/",
            {"password1": new, "password2": new, "usable_password": "true"},
        )

        assert not is_signed_in(phone)
        assert not StaffSession.objects.filter(user=accounts.support).exists()

    @pytest.mark.parametrize("taken", ["is_active", "is_staff"])
    def test_losing_access_ends_all_sessions_for_good(self, accounts, people, taken):
        phone = sign_in()
        data = {"username": "sue", "is_active": "on", "is_staff": "on"}

        response = people.superuser.post(
            admin_url(accounts.support), {name: value for name, value in data.items() if name != taken}
        )
        assert response.status_code == 302
        assert not is_signed_in(phone)
        people.superuser.post(admin_url(accounts.support), data)

        assert not is_signed_in(phone)

    def test_expired_sessions_are_removed_at_the_next_sign_in(self, accounts):
        sign_in()
        StaffSession.objects.update(expire_date=timezone.now() - timedelta(days=1))

        sign_in("otto")

        assert StaffSession.objects.count() == 1


class TestBrowserName:
    @pytest.mark.parametrize(
        ("agent", "name"),
        [
            (FIREFOX, "Firefox on Linux"),
            (IPHONE, "Safari on iPhone"),
            ("Mozilla/5.0 (Windows NT 10.0) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0", "Edge on Windows"),
            ("Mozilla/5.0 (Linux; Android 15) Chrome/140.0.0.0 Mobile Safari/537.36", "Chrome on Android"),
            ("curl/8.0", "Unknown browser"),
        ],
    )
    def test_reads_common_user_agents(self, agent, name):
        assert sessions.browser_name(agent) == name
