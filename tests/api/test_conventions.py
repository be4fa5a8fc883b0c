import threading
from collections import Counter

import pytest
from django.db import connection

from billing.models import ApiKey
from config.lib import redis
from tests.api import caller
from tests.api.caller import Caller
from tests.factories import CreditFactory

pytestmark = pytest.mark.django_db


class TestErrors:
    @pytest.mark.parametrize(
        ("method", "url", "options", "status", "code"),
        [
            ("get", "/nowhere", {}, 404, "not_found"),
            ("get", "/users/", {}, 404, "not_found"),
            ("put", "/users", {}, 405, "method_not_allowed"),
            ("options", "/users", {}, 405, "method_not_allowed"),
            ("trace", "/users", {}, 405, "method_not_allowed"),
            ("post", "/users", {"data": "a=b", "content_type": "text/plain"}, 415, "unsupported_media_type"),
            ("post", "/users", {"data": "{", "content_type": "application/json"}, 400, "parse_error"),
            ("post", "/users", {"data": '{"email":"a","email":"b"}', "content_type": "application/json"}, 400,
             "parse_error"),
            ("post", "/users", {"data": '{"a": NaN}', "content_type": "application/json"}, 400,
             "parse_error"),
            ("post", "/users", {"data": '{"a": 1e400}', "content_type": "application/json"}, 400,
             "parse_error"),
            ("post", "/users", {"data": '{"a": "\\u0000"}', "content_type": "application/json"}, 400,
             "parse_error"),
            ("post", "/users", {"data": '{"a": "\\ud800"}', "content_type": "application/json"}, 400,
             "parse_error"),
            ("post", "/users", {"data": "[" * 200 + "]" * 200, "content_type": "application/json"}, 400,
             "parse_error"),
            ("post", "/users", {"data": "[" * 100_000, "content_type": "application/json"}, 400,
             "parse_error"),
            ("post", "/users", {"data": "[]", "content_type": "application/json"}, 400, "validation_error"),
            ("post", "/users", {"data": " " * 1_100_000, "content_type": "application/json"}, 413,
             "payload_too_large"),
            ("post", "/users", {"data": "{}".encode("utf-16"), "content_type": "application/json"}, 400,
             "parse_error"),
        ],
    )  # fmt: skip
    def test_all_have_one_shape(  # noqa: PLR0917  (pytest names them)
        self, operator, method, url, options, status, code
    ):
        answer = getattr(operator._client, method)(
            url, headers={"x-api-key": operator.key, "x-correlation-id": "mine"}, **options
        )

        problem = answer.json()
        assert answer.status_code == status
        assert answer["Content-Type"] == "application/problem+json"
        assert answer["x-correlation-id"] == problem["correlation_id"] == "mine"
        assert (problem["status"], problem["code"]) == (status, code)
        assert problem["type"] == f"/docs/errors#{code}"
        assert problem["title"]
        assert problem["detail"]


class TestAuthentication:
    def test_takes_the_key_as_a_bearer_token_too(self, business, user):
        answer = Caller().get(f"/users/{user.user_id}", Authorization=f"Bearer {business.key}")

        assert answer.status_code == 200

    def test_refuses_two_keys_that_differ(self, business, operator, user):
        answer = business.get(f"/users/{user.user_id}", Authorization=f"Bearer {operator.key}")

        assert answer.status_code == 401

    def test_notes_the_last_use_to_the_minute(self, business, user, django_assert_num_queries):
        business.get(f"/users/{user.user_id}")

        # the key and the user
        with django_assert_num_queries(2):
            business.get(f"/users/{user.user_id}")

        assert ApiKey.objects.get(user=user).last_used_at

    def test_has_whoever_guesses_wait_and_nobody_else(self, business, user, settings):
        settings.API_FAILURE_LIMIT = 5
        guess = Caller("mcak_00000000_guessed")

        statuses = Counter(guess.get(f"/users/{user.user_id}").status_code for _ in range(20))

        assert statuses == {401: 5, 429: 15}
        assert business.get(f"/users/{user.user_id}").status_code == 200

    def test_does_not_believe_a_forged_address(self, user, valkey, settings):
        settings.API_FAILURE_LIMIT = 5
        guess = Caller("mcak_00000000_guessed")

        statuses = Counter(
            guess.get(f"/users/{user.user_id}", X_Forwarded_For=f"10.0.0.{n}").status_code for n in range(20)
        )

        assert statuses == {401: 5, 429: 15}

    def test_takes_the_addresses_of_one_household_for_one(self, user, valkey, settings):
        settings.API_FAILURE_LIMIT = 5
        settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}
        guess = Caller("mcak_00000000_guessed")

        statuses = Counter(
            guess.get(f"/users/{user.user_id}", X_Forwarded_For=f"2001:db8::{n:x}").status_code
            for n in range(20)
        )

        assert statuses == {401: 5, 429: 15}


class TestRateLimit:
    def test_counts_each_key_by_itself(self, business, operator, user, settings):
        settings.API_RATE_LIMIT = 60

        answers = [business.get(f"/users/{user.user_id}") for _ in range(61)]

        assert Counter(answer.status_code for answer in answers) == {200: 60, 429: 1}
        assert answers[0]["RateLimit-Policy"] == '"key";q=60;w=60'
        assert answers[0]["RateLimit"].startswith('"key";r=59;t=')
        assert answers[-1].json()["code"] == "throttled"
        assert 1 <= int(answers[-1]["Retry-After"]) <= 60
        assert operator.get(f"/users/{user.user_id}").status_code == 200

    def test_more_keys_of_a_business_are_not_more_requests(self, operator, user, valkey, settings):
        settings.API_RATE_LIMIT, settings.API_BUSINESS_RATE_LIMIT = 40, 60
        first, second = caller.business(user.user_id), caller.business(user.user_id)
        elsewhere = CreditFactory().user.user_id
        other = caller.business(elsewhere)
        place = f"/users/{user.user_id}"

        of_first = Counter(first.get(place).status_code for _ in range(50))
        answers = [second.get(place) for _ in range(30)]

        assert of_first == {200: 40, 429: 10}
        # What the first key's own limit refused does not count for the business.
        assert Counter(answer.status_code for answer in answers) == {200: 20, 429: 10}
        assert answers[0]["RateLimit-Policy"] == '"business";q=60;w=60'
        assert answers[0]["RateLimit"].startswith('"business";r=19;t=')
        assert answers[-1]["RateLimit-Policy"] == '"business";q=60;w=60'
        assert 1 <= int(answers[-1]["Retry-After"]) <= 60
        assert other.get(f"/users/{elsewhere}").status_code == 200
        assert operator.get(place).status_code == 200

    def test_headers_show_the_limit_that_is_closer(self, business, user, settings):
        settings.API_RATE_LIMIT, settings.API_BUSINESS_RATE_LIMIT = 10, 60

        answer = business.get(f"/users/{user.user_id}")

        assert answer["RateLimit-Policy"] == '"key";q=10;w=60'
        assert answer["RateLimit"].startswith('"key";r=9;t=')

    @pytest.mark.django_db(transaction=True)
    def test_is_exact_when_many_ask_at_once(self, business, user, settings):
        settings.API_RATE_LIMIT = 60
        statuses: Counter[int] = Counter()

        def ask() -> None:
            for _ in range(10):
                statuses[business.get(f"/users/{user.user_id}").status_code] += 1
            connection.close()

        threads = [threading.Thread(target=ask) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert statuses == {200: 60, 429: 40}

    def test_lets_everybody_through_without_redis(self, business, user, settings):
        settings.API_RATE_LIMIT = 1
        for _ in range(3):
            redis.breaker.failed()

        answers = [business.get(f"/users/{user.user_id}") for _ in range(3)]

        redis.breaker.succeeded()
        assert [answer.status_code for answer in answers] == [200, 200, 200]
