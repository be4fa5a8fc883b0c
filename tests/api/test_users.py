from datetime import timedelta

import pytest
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from billing import keys
from billing.models import Credit, CreditEntry, User
from config.lib import ids
from tests.api import caller
from tests.api.caller import Caller
from tests.factories import CreditFactory, UserFactory

pytestmark = pytest.mark.django_db


class TestCreating:
    def test_gives_the_user_and_a_key_that_works(self, operator):
        answer = operator.post("/users", {"email": "Owner@Example.com", "company_name": "Bakery"})

        made = answer.json()
        assert answer.status_code == 201
        assert made["email"] == "owner@example.com"
        assert answer["Location"] == f"/users/{made['user_id']}"
        assert Caller(made["api_key"]["key"]).get(answer["Location"]).status_code == 200
        assert Credit.objects.get(user_id=made["user_id"]).remaining_credits == 0

    def test_refuses_an_address_that_is_taken(self, operator):
        UserFactory(email="owner@example.com")

        answer = operator.post("/users", {"email": "OWNER@example.com"})

        assert (answer.status_code, answer.json()["code"]) == (409, "email_taken")

    def test_is_the_operators(self, business):
        answer = business.post("/users", {"email": "a@example.com"})

        assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")

    @pytest.mark.parametrize(
        ("body", "field", "code"),
        [
            ({}, "email", "required"),
            ({"email": "nonsense"}, "email", "invalid"),
            ({"email": 7}, "email", "invalid"),
            ({"email": "a@example.com", "is_staff": True}, "is_staff", "unknown_field"),
            ({"email": "a@example.com", "timezone": "Mars/Olympus"}, "timezone", "unknown_timezone"),
            ({"email": "a@example.com", "company_name": None}, "company_name", "null"),
        ],
    )
    def test_names_the_field_that_is_wrong(self, operator, body, field, code):
        answer = operator.post("/users", body)

        assert answer.status_code == 400
        assert answer.json()["errors"][0] | {"detail": ""} == {"field": field, "code": code, "detail": ""}


class TestChanging:
    def test_changes_only_what_is_sent(self, business, user):
        answer = business.patch(f"/users/{user.user_id}", {"timezone": "Europe/Berlin"})

        assert answer.status_code == 200
        assert (answer.json()["timezone"], answer.json()["company_name"]) == ("Europe/Berlin", "Test")

    def test_is_refused_when_somebody_else_was_quicker(self, business, user):
        seen = business.get(f"/users/{user.user_id}")["ETag"]
        business.patch(f"/users/{user.user_id}", {"company_name": "Other"})

        answer = business.patch(f"/users/{user.user_id}", {"company_name": "Mine"}, If_Match=seen)

        assert (answer.status_code, answer.json()["code"]) == (412, "precondition_failed")
        assert User.objects.get(pk=user.pk).company_name == "Other"

    def test_goes_on_from_what_was_read(self, business, user):
        seen = business.get(f"/users/{user.user_id}")["ETag"]

        answer = business.patch(f"/users/{user.user_id}", {"company_name": "Mine"}, If_Match=seen)

        assert answer.status_code == 200
        assert answer["ETag"] != seen


class TestListing:
    def test_goes_page_by_page_while_users_are_added(self, operator):
        made = {UserFactory().user_id for _ in range(5)}
        seen, url = [], "/users?limit=2"
        while url:
            answer = operator.get(url).json()
            seen += [user["user_id"] for user in answer["data"]]
            UserFactory()
            url = answer["next_cursor"] and f"/users?limit=2&cursor={answer['next_cursor']}"

        assert seen == sorted(seen, reverse=True)
        assert made <= set(seen)
        assert len(seen) == len(set(seen)) == 5

    @pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=1000000000", "limit=x", "cursor=x",
                                       "cursor=W10", "cursor=bnVsbA", "offset=5", "limit=1&limit=2",
                                       "user__api_keys=x"])  # fmt: skip
    def test_refuses_what_it_does_not_understand(self, operator, query):
        answer = operator.get(f"/users?{query}")

        assert answer.status_code == 400
        assert answer.json()["errors"]


class TestCredits:
    def test_are_granted_once_per_idempotency_key(self, operator, user):
        body = {"kind": "grant", "amount": 50, "reason": "invoice 7"}

        first, again = (
            operator.post(f"/users/{user.user_id}/credits", body, Idempotency_Key="k1") for _ in range(2)
        )

        assert (first.status_code, again.status_code) == (201, 201)
        assert first.json() == again.json()
        assert again["Idempotency-Replayed"] == "true"
        assert operator.get(f"/users/{user.user_id}/credits").json()["remaining_credits"] == 150

    def test_refuse_a_key_that_was_used_for_something_else(self, operator, user):
        url = f"/users/{user.user_id}/credits"
        operator.post(url, {"kind": "grant", "amount": 50, "reason": "a"}, Idempotency_Key="k1")

        answer = operator.post(url, {"kind": "grant", "amount": 51, "reason": "a"}, Idempotency_Key="k1")

        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")

    def test_need_an_idempotency_key(self, operator, user):
        answer = operator.post(
            f"/users/{user.user_id}/credits", {"kind": "grant", "amount": 5, "reason": "a"}
        )

        assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_missing")

    def test_cannot_be_granted_by_the_business_itself(self, business, user):
        answer = business.post(
            f"/users/{user.user_id}/credits",
            {"kind": "grant", "amount": 5, "reason": "a"},
            Idempotency_Key="k1",
        )

        assert answer.status_code == 403
        assert CreditEntry.objects.filter(user=user).count() == 1

    @pytest.mark.parametrize(
        ("kind", "amount", "code"),
        [
            ("grant", -5, "amount_out_of_range"),
            ("grant", 0, "amount_out_of_range"),
            ("adjustment", -101, "insufficient_credits"),
        ],
    )
    def test_never_fall_below_nothing(self, operator, user, kind, amount, code):
        answer = operator.post(
            f"/users/{user.user_id}/credits",
            {"kind": kind, "amount": amount, "reason": "a"},
            Idempotency_Key=ids.new("k"),
        )

        assert (answer.status_code, answer.json()["code"]) == (422, code)
        assert Credit.objects.get(user=user).remaining_credits == 100

    def test_overflow_is_told(self, operator, user):
        url, body = (
            f"/users/{user.user_id}/credits",
            {"kind": "grant", "amount": 1_000_000_000, "reason": "a"},
        )

        statuses = [operator.post(url, body, Idempotency_Key=f"k{n}").status_code for n in range(3)]

        assert statuses == [201, 201, 422]


class TestKeys:
    def test_are_shown_once(self, business, user):
        made = business.post(f"/users/{user.user_id}/api_keys", {"name": "crm"}).json()
        listed = business.get(f"/users/{user.user_id}/api_keys").json()["data"]

        assert Caller(made["key"]).get(f"/users/{user.user_id}").status_code == 200
        assert made["prefix"] in {key["prefix"] for key in listed}
        assert all("key" not in key for key in listed)

    def test_work_on_for_their_grace_when_rotated(self, business, user):
        made = business.post(f"/users/{user.user_id}/api_keys", {"name": "crm"}).json()
        url = f"/users/{user.user_id}/api_keys/{made['prefix']}/rotate"

        new = business.post(url, {"grace_seconds": 60}).json()

        assert Caller(made["key"]).get(f"/users/{user.user_id}").status_code == 200
        assert Caller(new["key"]).get(f"/users/{user.user_id}").status_code == 200

    def test_end_at_once_when_revoked_or_rotated_without_grace(self, business, user):
        first = business.post(f"/users/{user.user_id}/api_keys", {"name": "a"}).json()
        second = business.post(f"/users/{user.user_id}/api_keys", {"name": "b"}).json()

        business.post(f"/users/{user.user_id}/api_keys/{first['prefix']}/rotate", {"grace_seconds": 0})
        business.delete(f"/users/{user.user_id}/api_keys/{second['prefix']}")

        assert [Caller(key["key"]).get(f"/users/{user.user_id}").status_code for key in (first, second)] == [
            401,
            401,
        ]

    def test_rotation_keeps_the_end_and_shows_the_origin(self, business, user):
        url = f"/users/{user.user_id}/api_keys"
        old = business.post(
            url, {"name": "crm", "expires_at": "2100-01-01T00:00:00Z", "scope": "read"}
        ).json()

        new = business.post(f"{url}/{old['prefix']}/rotate").json()
        longer = business.post(f"{url}/{new['prefix']}/rotate", {"expires_at": "2100-01-02T00:00:00Z"})

        own = business.key.split("_")[1]
        assert (new["expires_at"], new["scope"]) == ("2100-01-01T00:00:00Z", "read")
        assert (new["parent"], new["created_by"], new["replaces"]) == (own, f"key:{own}", old["prefix"])
        assert (longer.status_code, longer.json()["code"]) == (422, "rights_exceeded")

    def test_rotation_of_a_key_that_ended_is_refused_with_the_reason(self, business, user):
        url = f"/users/{user.user_id}/api_keys"
        rotated, revoked = (business.post(url, {"name": name}).json()["prefix"] for name in "ab")
        business.post(f"{url}/{rotated}/rotate")
        business.delete(f"{url}/{revoked}")

        answers = [business.post(f"{url}/{prefix}/rotate") for prefix in (rotated, revoked)]

        assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
            (409, "api_key_rotated"),
            (409, "api_key_revoked"),
        ]

    def test_expiring_key_makes_none_that_outlives_it(self, user, valkey):
        end = timezone.now() + timedelta(hours=1)
        expiring = Caller(keys.create(user_id=user.user_id, name="short", expires_at=end)[1])
        url = f"/users/{user.user_id}/api_keys"

        made = expiring.post(url, {"name": "a"}).json()
        refused = expiring.post(url, {"name": "a", "expires_at": "2100-01-01T00:00:00Z"})
        itself = expiring.post(f"{url}/{expiring.key.split('_')[1]}/rotate").json()

        assert parse_datetime(made["expires_at"]) == parse_datetime(itself["expires_at"]) == end
        assert (refused.status_code, refused.json()["code"]) == (422, "rights_exceeded")

    def test_descendants_of_a_stolen_key_are_revoked_with_it(self, business, user):
        url, place = f"/users/{user.user_id}/api_keys", f"/users/{user.user_id}"
        stolen = business.post(url, {"name": "stolen"}).json()
        made = Caller(stolen["key"]).post(url, {"name": "thief's"}).json()

        business.delete(f"{url}/{stolen['prefix']}?descendants=true")

        assert [Caller(key["key"]).get(place).status_code for key in (stolen, made)] == [401, 401]
        assert business.get(place).status_code == 200

    def test_of_others_do_not_exist(self, business, user):
        other = CreditFactory().user
        key = caller.business(other.user_id).key

        answer = business.delete(f"/users/{user.user_id}/api_keys/{key.split('_')[1]}")

        assert answer.status_code == 404
        assert Caller(key).get(f"/users/{other.user_id}").status_code == 200
