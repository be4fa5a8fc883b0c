"""The login: five attempts, with Redis and without; and a session that is hard to steal."""

import pytest
from django.urls import reverse

from config.admin import attempts
from config.lib import redis
from tests.admin.conftest import PASSWORD


@pytest.fixture(autouse=True)
def fresh():
    attempts._in_process.cache_clear()


def sign_in(client, name="sue", password=PASSWORD):
    return client.post(reverse("admin:login") + "?next=/admin/", {"username": name, "password": password})


class TestLogin:
    def test_takes_the_right_password(self, client, accounts, valkey):
        response = sign_in(client)

        assert (response.status_code, response.url) == (302, "/admin/")

    def test_takes_no_more_after_five_wrong_ones(self, client, accounts, valkey):
        for _ in range(5):
            sign_in(client, password="wrong")

        response = sign_in(client)

        assert "Too many attempts" in response.content.decode()
        assert "_auth_user_id" not in client.session

    def test_counts_without_redis_too(self, client, accounts):
        for _ in range(3):
            redis.breaker.failed()
        for _ in range(5):
            sign_in(client, password="wrong")

        response = sign_in(client)
        redis.breaker.succeeded()

        assert "Too many attempts" in response.content.decode()

    def test_does_not_lock_one_name_for_another(self, client, accounts, valkey):
        for _ in range(6):
            sign_in(client, password="wrong")

        assert sign_in(client, name="otto").status_code == 302

    def test_forgets_mistakes_once_the_password_was_right(self, client, accounts, valkey):
        for _ in range(3):
            for _ in range(4):
                sign_in(client, password="wrong")
            assert sign_in(client).status_code == 302

    def test_takes_names_that_cannot_be(self, client, accounts, valkey):
        assert sign_in(client, name="x" * 300).status_code == 200

    def test_gives_a_session_no_script_and_no_other_site_can_use(self, client, accounts, valkey):
        cookie = sign_in(client).cookies["sessionid"]

        assert cookie["httponly"]
        assert cookie["samesite"] == "Lax"
        assert cookie["path"] == "/admin/"
        assert cookie["max-age"] == 8 * 3600

    def test_leads_nowhere_else(self, client, accounts, valkey):
        response = client.post(
            reverse("admin:login") + "?next=https://evil.example/",
            {"username": "sue", "password": PASSWORD, "next": "https://evil.example/"},
        )

        assert response.url == "/admin/"
