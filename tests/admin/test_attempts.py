"""Limits on sign-in attempts: by name and address, by address, by name; before anything is hashed."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client
from django.urls import reverse

from config.admin import attempts, known_browsers
from config.lib import redis
from tests.admin.conftest import PASSWORD

HASHES: list[str] = []


class CountingHasher(MD5PasswordHasher):
    """Counts passwords that are checked, and waits where a test wants it to."""

    algorithm = "counting"
    gate: threading.Event | None = None

    def encode(self, password, salt):
        HASHES.append(password)
        if self.gate:
            self.gate.wait(60)
        return super().encode(password, salt)


@pytest.fixture(autouse=True)
def fresh(settings, valkey):
    attempts._in_process.cache_clear()
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher"]
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}


@pytest.fixture
def sue(db):
    user = User.objects.create_user("sue", password=PASSWORD, is_staff=True)
    HASHES.clear()
    return user


def sign_in(name="sue", password="wrong", *, address="192.0.2.1", client=None):
    return (client or Client()).post(
        reverse("admin:login"), {"username": name, "password": password}, headers={"X-Forwarded-For": address}
    )


def sign_in_from_a_thread(*args, **options):
    try:
        return sign_in(*args, **options)
    finally:
        connections.close_all()


class TestLimitByAddress:
    def test_refuses_forty_names_from_one_address(self, sue):
        statuses = [sign_in(f"name-{number}").status_code for number in range(40)]

        assert statuses == [200] * 20 + [429] * 20
        assert len(HASHES) == 20

    def test_says_when_to_try_again(self, sue):
        for number in range(20):
            sign_in(f"name-{number}")

        response = sign_in()

        assert 60 < int(response.headers["Retry-After"]) <= 900
        assert "Too many attempts. Try again in 15 minutes." in response.content.decode()

    def test_counts_a_64_of_ipv6_as_one_address(self, sue):
        statuses = [sign_in(f"name-{n}", address=f"2001:db8::{n:x}").status_code for n in range(1, 25)]

        assert statuses.count(429) == 4

    def test_does_not_stop_other_addresses(self, sue):
        for number in range(30):
            sign_in(f"name-{number}")

        assert sign_in(password=PASSWORD, address="192.0.2.2").status_code == 302

    def test_does_not_count_successful_sign_ins(self, sue):
        statuses = [sign_in(password=PASSWORD).status_code for _ in range(30)]

        assert statuses == [302] * 30

    def test_ignores_forged_addresses_where_no_proxy_is_trusted(self, sue, settings):
        settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 0}

        statuses = [sign_in(f"name-{n}", address=f"192.0.2.{n}").status_code for n in range(25)]

        assert statuses.count(429) == 5


class TestLimitByNameAndAddress:
    def test_does_not_lock_a_name_for_other_addresses_behind_a_proxy(self, sue):
        for _ in range(10):
            sign_in(address="192.0.2.1")

        assert sign_in(address="192.0.2.1", password=PASSWORD).status_code == 429
        assert sign_in(address="192.0.2.2", password=PASSWORD).status_code == 302

    def test_counts_parallel_attempts_before_their_passwords_are_checked(self, transactional_db):
        User.objects.create_user("sue", password=PASSWORD, is_staff=True)
        HASHES.clear()

        with ThreadPoolExecutor(12) as pool:
            statuses = list(pool.map(lambda _: sign_in_from_a_thread().status_code, range(24)))

        assert len(HASHES) <= 5
        assert statuses.count(429) >= 19

    def test_is_not_prolonged_by_refused_attempts(self, sue):
        for _ in range(5):
            sign_in()
        before = {key: redis.client().ttl(key) for key in redis.client().keys("*admin-password-pair*")}

        for _ in range(20):
            sign_in()

        for key, seconds in before.items():
            assert redis.client().ttl(key) <= seconds

    def test_tells_names_and_addresses_apart(self, sue):
        for _ in range(5):
            sign_in("sue1", address="92.0.2.1")

        assert sign_in("sue", address="192.0.2.1").status_code == 200


class TestLimitByName:
    def test_stops_attempts_from_many_addresses(self, sue):
        statuses = [sign_in(address=f"198.51.100.{number}").status_code for number in range(40)]

        assert statuses == [200] * 30 + [429] * 10

    def test_does_not_lock_out_a_browser_that_signed_in_before(self, sue):
        browser = Client()
        assert sign_in(password=PASSWORD, client=browser).status_code == 302
        for number in range(40):
            sign_in(address=f"198.51.100.{number}")

        assert sign_in(password=PASSWORD, address="203.0.113.9").status_code == 429
        browser.cookies.pop("sessionid")
        assert sign_in(password=PASSWORD, address="203.0.113.9", client=browser).status_code == 302

    def test_counts_a_known_browser_by_itself_from_whatever_address(self, sue):
        browser = Client()
        sign_in(password=PASSWORD, client=browser)

        statuses = [sign_in(address=f"198.51.100.{n}", client=browser).status_code for n in range(8)]

        assert statuses == [200] * 5 + [429] * 3

    def test_holds_for_a_browser_known_by_another_name_or_with_a_forged_cookie(self, sue):
        User.objects.create_user("otto", password=PASSWORD, is_staff=True)
        browser = Client()
        sign_in("otto", password=PASSWORD, client=browser)
        for number in range(40):
            sign_in(address=f"198.51.100.{number}")

        assert sign_in(password=PASSWORD, address="203.0.113.9", client=browser).status_code == 429
        browser.cookies[known_browsers.COOKIE] = "WyJ4IiwieCJd:forged:forged"
        assert sign_in(password=PASSWORD, address="203.0.113.9", client=browser).status_code == 429

    def test_keeps_the_cookie_of_a_known_browser_to_the_admin(self, sue):
        cookie = sign_in(password=PASSWORD).cookies[known_browsers.COOKIE]

        assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == ("/admin/", True, "Lax")


class TestWithoutRedis:
    @pytest.fixture(autouse=True)
    def no_redis(self, fresh):
        for _ in range(3):
            redis.breaker.failed()
        yield
        redis.breaker.succeeded()

    def test_limits_hold_in_the_process(self, sue):
        statuses = [sign_in(f"name-{number}").status_code for number in range(25)]

        assert statuses == [200] * 20 + [429] * 5

    def test_the_right_password_signs_in_and_clears_mistakes(self, sue):
        for _ in range(3):
            for _ in range(4):
                sign_in()
            assert sign_in(password=PASSWORD).status_code == 302


class TestHashing:
    def test_is_done_for_few_at_once_and_refuses_others_at_once(self, transactional_db, monkeypatch):
        for number in range(6):
            User.objects.create_user(f"staff-{number}", password=PASSWORD, is_staff=True)
        HASHES.clear()
        monkeypatch.setattr(CountingHasher, "gate", threading.Event())

        with ThreadPoolExecutor(6) as pool:
            pending = [
                pool.submit(sign_in_from_a_thread, f"staff-{n}", PASSWORD, address=f"192.0.2.{n}")
                for n in range(6)
            ]
            refused = []
            while len(refused) < 6 - attempts.PARALLEL_HASHES:
                refused = [future.result() for future in pending if future.done()]
            CountingHasher.gate.set()
            statuses = sorted(future.result().status_code for future in pending)

        assert statuses == [302] * attempts.PARALLEL_HASHES + [429] * (6 - attempts.PARALLEL_HASHES)
        assert all("Try again in a few seconds" in response.content.decode() for response in refused)

    def test_frees_its_place_when_checking_fails(self, sue):
        for number in range(10):
            assert sign_in(f"name-{number}").status_code == 200

    def test_that_was_refused_is_not_counted(self, sue):
        places = [attempts._hashing.acquire(blocking=False) for _ in range(attempts.PARALLEL_HASHES)]
        try:
            assert [sign_in(password=PASSWORD).status_code for _ in range(30)] == [429] * 30
        finally:
            for _ in places:
                attempts._hashing.release()

        assert sign_in(password=PASSWORD).status_code == 302


class TestPasswordChange:
    def test_limits_attempts_at_the_present_password(self, sue):
        client = Client()
        client.force_login(sue)
        HASHES.clear()

        def change(old):
            new = "a new long password"
            return client.post(
                reverse("admin:password_change"),
                {"old_password": old, "new_password1": new, "new_password2": new},
                headers={"X-Forwarded-For": "192.0.2.1"},
            )

        statuses = [change("wrong").status_code for _ in range(8)]

        assert statuses == [200] * 5 + [429] * 3
        assert change(PASSWORD).status_code == 429
