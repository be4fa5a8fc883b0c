"""Webhook endpoints, from making one to having an event sent again."""

from datetime import timedelta

import pytest
from django.utils import timezone

from billing import events
from billing.events import EventType
from billing.models import Event, WebhookEndpoint
from billing.webhooks import endpoints, redelivery
from tests.api import caller
from tests.factories import CreditFactory, WebhookEndpointFactory

pytestmark = pytest.mark.django_db

URL = "https://bakery.example/hooks"


@pytest.fixture
def place(user) -> str:
    return f"/users/{user.user_id}/webhook_endpoints"


@pytest.fixture
def endpoint(user):
    return WebhookEndpointFactory(user=user)


@pytest.fixture
def at(place, endpoint) -> str:
    return f"{place}/{endpoint.endpoint_id}"


def told(user, type_=EventType.LEAD_CREATED, **more) -> Event:
    events.record(user_id=user.user_id, type=type_, data={"extraction_id": "ext_1"}, **more)
    return Event.objects.latest("sequence")


def span(**more) -> dict:
    now = timezone.now()
    moments = {"since": now - timedelta(hours=1), "until": now + timedelta(hours=1)}
    return {name: moment.isoformat() for name, moment in moments.items()} | more


class TestCreating:
    def test_shows_the_secret_this_once(self, business, place):
        answer = business.post(place, {"url": URL, "types": ["lead.created"], "description": "CRM"})

        made = answer.json()
        shown = [business.get(answer["Location"]), business.get(place), business.patch(answer["Location"])]
        assert answer.status_code == 201
        assert WebhookEndpoint.objects.get().secrets(timezone.now()) == [made["secret"]]
        assert answer["Location"] == f"{place}/{made['endpoint_id']}"
        assert [made["secret"] in each.content.decode() for each in shown] == [False] * 3
        assert shown[0].json() == {name: value for name, value in made.items() if name != "secret"}
        assert shown[0]["ETag"] == answer["ETag"]

    def test_is_told_all_events_unless_some_are_named(self, business, place):
        made = [business.post(place, {"url": URL, **more}).json() for more in ({}, {"types": []})]

        assert [endpoint["types"] for endpoint in made] == [[], []]

    def test_is_done_once_per_idempotency_key_and_gives_the_secret_again(self, business, place):
        first, again = (business.post(place, {"url": URL}, Idempotency_Key="one") for _ in range(2))

        assert first.json() == again.json()
        assert (again.status_code, again["Idempotency-Replayed"]) == (201, "true")
        assert again["Location"] == first["Location"]
        assert WebhookEndpoint.objects.count() == 1

    @pytest.mark.parametrize(
        ("url", "code"),
        [
            ("http://bakery.example/hooks", "https_required"),
            ("https://127.1/hooks", "address_not_public"),
            ("https://2130706433/", "address_not_public"),
            ("https://[::ffff:169.254.169.254]/", "address_not_public"),
            ("https://metadata.google.internal/", "address_not_public"),
            ("https://shop.localhost/", "address_not_public"),
            ("https://user:pass@bakery.example/", "invalid_url"),
            ("https://bakery.example/#a", "invalid_url"),
            ("https://bakery.example:0/", "invalid_url"),
            ("ftp://bakery.example/", "invalid_url"),
            ("bakery.example", "invalid_url"),
            (" https://bakery.example/", "invalid_url"),
        ],
    )
    def test_refuses_urls_that_no_endpoint_may_have(self, business, place, url, code):
        answer = business.post(place, {"url": url})

        assert (answer.status_code, answer.json()["code"]) == (422, code)
        assert answer.json()["errors"][0]["field"] == "url"
        assert not WebhookEndpoint.objects.exists()

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({}, "url"),
            ({"url": ""}, "url"),
            ({"url": 7}, "url"),
            ({"url": f"https://bakery.example/{'a' * 2000}"}, "url"),
            ({"url": URL, "types": ["endpoint.test"]}, "types.0"),
            ({"url": URL, "types": ["lead.created", "lead.lost"]}, "types.1"),
            ({"url": URL, "types": "lead.created"}, "types"),
            ({"url": URL, "description": "a" * 256}, "description"),
            ({"url": URL, "secret": "whsec_mine"}, "secret"),
            ({"url": URL, "is_enabled": True}, "is_enabled"),
        ],
    )
    def test_names_the_field_that_is_wrong(self, business, place, body, field):
        answer = business.post(place, body)

        assert answer.status_code == 400
        assert [error["field"] for error in answer.json()["errors"]] == [field]

    def test_ends_at_twenty(self, business, place, user):
        WebhookEndpointFactory.create_batch(endpoints.MOST, user=user)

        answer = business.post(place, {"url": URL})

        assert (answer.status_code, answer.json()["code"]) == (422, "too_many_endpoints")


class TestChanging:
    def test_changes_only_what_is_sent(self, business, at, endpoint):
        answer = business.patch(at, {"types": ["credits.low"], "description": "money"})

        shown = answer.json()
        assert answer.status_code == 200
        assert (shown["types"], shown["description"], shown["url"]) == (
            *(["credits.low"], "money", endpoint.url),
        )

    def test_is_refused_when_somebody_else_was_quicker(self, business, at):
        seen = business.get(at)["ETag"]
        business.patch(at, {"description": "theirs"})

        answer = business.patch(at, {"description": "mine"}, If_Match=seen)

        assert (answer.status_code, answer.json()["code"]) == (412, "precondition_failed")
        assert business.get(at).json()["description"] == "theirs"

    def test_refuses_urls_that_no_endpoint_may_have(self, business, at):
        answer = business.patch(at, {"url": "https://10.0.0.1/", "description": "new"})

        assert (answer.status_code, answer.json()["code"]) == (422, "address_not_public")
        assert business.get(at).json()["description"] == ""

    def test_switches_off_and_on(self, business, at):
        off = business.patch(at, {"is_enabled": False}).json()
        on = business.patch(at, {"is_enabled": True}).json()

        assert (off["is_enabled"], off["disabled_reason"]) == (False, "switched off by hand")
        assert off["disabled_at"]
        assert (on["is_enabled"], on["disabled_at"], on["disabled_reason"]) == (True, None, "")


class TestDeleting:
    def test_ends_it(self, business, at, place):
        answer = business.delete(at)

        assert answer.status_code == 204
        assert business.get(place).json()["data"] == []
        for asked in (business.get(at), business.delete(at), business.get(f"{at}/deliveries")):
            assert asked.status_code == 404


class TestRotating:
    def test_gives_a_new_secret_and_says_how_long_the_old_one_signs(self, business, at, endpoint):
        before = timezone.now()
        old = endpoint.secrets(before)

        answer = business.post(f"{at}/rotate_secret", {})

        new = answer.json()["secret"]
        assert answer.status_code == 200
        assert WebhookEndpoint.objects.get().secrets(before) == [new, *old]
        assert WebhookEndpoint.objects.get().secrets(before + timedelta(hours=25)) == [new]
        assert business.get(at).json()["previous_secret_expires_at"]
        assert new not in business.get(at).content.decode()

    @pytest.mark.parametrize(("grace", "status"), [(0, 200), (604_800, 200), (-1, 400), (604_801, 400)])
    def test_takes_a_grace_of_up_to_a_week(self, business, at, grace, status):
        assert business.post(f"{at}/rotate_secret", {"grace_seconds": grace}).status_code == status


class TestTesting:
    def test_sends_an_event_to_this_endpoint_alone(self, business, at, user):
        WebhookEndpointFactory(user=user)

        answer = business.post(f"{at}/test")

        sent = answer.json()
        assert answer.status_code == 202
        assert (sent["type"], sent["state"], sent["attempts"]) == ("endpoint.test", "pending", 0)
        assert business.get(f"{at}/deliveries").json()["data"] == [sent]

    def test_is_refused_while_it_is_switched_off(self, business, at):
        business.patch(at, {"is_enabled": False})

        answers = [business.post(f"{at}/test"), business.post(f"{at}/redeliver", span())]

        assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {
            (409, "endpoint_disabled")
        }


class TestDeliveries:
    def test_are_listed_newest_first_page_by_page(self, business, at, user, endpoint):
        made = [told(user) for _ in range(5)]
        seen, url = [], f"{at}/deliveries?limit=2"
        while url:
            answer = business.get(url).json()
            seen += [delivery["event_id"] for delivery in answer["data"]]
            url = answer["next_cursor"] and f"{at}/deliveries?limit=2&cursor={answer['next_cursor']}"

        assert seen == [event.event_id for event in reversed(made)]

    def test_are_narrowed(self, business, at, user, endpoint):
        told(user)
        late = told(user, EventType.CREDITS_LOW)
        endpoint.deliveries.filter(event=late).update(state="failed")
        endpoint.deliveries.exclude(event=late).update(created_at=timezone.now() - timedelta(days=1))
        hour_ago = (timezone.now() - timedelta(hours=1)).isoformat().replace("+", "%2B")

        found = {
            query: [each["type"] for each in business.get(f"{at}/deliveries?{query}").json()["data"]]
            for query in ("state=failed", "type=lead.created", f"since={hour_ago}", f"until={hour_ago}")
        }

        assert list(found.values()) == [["credits.low"], ["lead.created"], ["credits.low"], ["lead.created"]]

    def test_refuse_what_they_cannot_be_narrowed_to(self, business, at):
        for query in ("state=lost", "type=nothing", "since=yesterday", "endpoint_id=1"):
            assert business.get(f"{at}/deliveries?{query}").status_code == 400

    def test_show_what_is_sent_and_every_attempt(self, business, at, user, endpoint):
        event = told(user, conversation_id="cnv_1")
        log = [
            {"at": "2026-11-24T12:00:00Z", "status": None, "milliseconds": 5, "error": "no connection"},
            {"at": "2026-11-24T12:00:05Z", "status": 200, "milliseconds": 9, "error": ""},
        ]
        endpoint.deliveries.update(log=log, state="delivered", attempts=2)

        shown = business.get(f"{at}/deliveries/{endpoint.deliveries.get().pk}").json()

        assert (shown["event_id"], shown["conversation_id"], shown["type"]) == (
            *(event.event_id, "cnv_1", "lead.created"),
        )
        assert (shown["log"], shown["last_attempt"], shown["next_attempt_at"]) == (log, log[1], None)
        assert shown["payload"]["type"] == "lead.created"
        assert shown["payload"]["data"]["extraction_id"] == "ext_1"

    def test_of_another_endpoint_do_not_exist_here(self, business, place, at, user, endpoint):
        other = WebhookEndpointFactory(user=user)
        told(user)

        for method, end in (("get", ""), ("post", "/redeliver")):
            answer = getattr(business, method)(f"{at}/deliveries/{other.deliveries.get().pk}{end}")

            assert answer.status_code == 404


class TestRedelivering:
    def test_has_one_sent_again(self, business, at, user, endpoint):
        told(user)
        endpoint.deliveries.update(state="failed", attempts=9)

        answer = business.post(f"{at}/deliveries/{endpoint.deliveries.get().pk}/redeliver")

        assert answer.status_code == 202
        assert (answer.json()["state"], answer.json()["attempts"]) == ("pending", 0)

    def test_has_a_span_sent_again(self, business, at, user, endpoint):
        told(user)
        told(user, EventType.CREDITS_LOW)
        endpoint.deliveries.update(state="failed")

        answers = [
            business.post(f"{at}/redeliver", span(types=["lead.created"], only_failed=True)),
            business.post(f"{at}/redeliver", span()),
            business.post(f"{at}/redeliver", span()),
        ]

        assert [(answer.status_code, answer.json()["count"]) for answer in answers] == [
            *((202, 1), (202, 1), (202, 0)),
        ]

    def test_refuses_a_span_that_ends_before_it_begins(self, business, at):
        moment = timezone.now().isoformat()

        answer = business.post(f"{at}/redeliver", {"since": moment, "until": moment})

        assert (answer.status_code, answer.json()["code"]) == (422, "span_out_of_range")

    def test_refuses_more_than_is_sent_at_once(self, business, at, user, endpoint, monkeypatch):
        monkeypatch.setattr(redelivery, "MOST", 0)
        told(user)
        endpoint.deliveries.update(state="failed")

        answer = business.post(f"{at}/redeliver", span())

        assert (answer.status_code, answer.json()["code"]) == (422, "too_many_events")

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [({"until": None}, "until"), ({"types": ["nothing"]}, "types.0"), ({"since": "2026-11-24"}, "since")],
    )
    def test_names_the_field_that_is_wrong(self, business, at, wrong, field):
        answer = business.post(f"{at}/redeliver", span(**wrong))

        assert answer.status_code == 400
        assert [error["field"] for error in answer.json()["errors"]] == [field]


class TestOthers:
    def test_find_nothing(self, at, valkey):
        stranger = caller.business(CreditFactory().user.user_id)

        answers = [
            stranger.get(at),
            stranger.patch(at, {"is_enabled": False}),
            stranger.delete(at),
            stranger.post(f"{at}/rotate_secret"),
            stranger.post(f"{at}/test"),
            stranger.get(f"{at}/deliveries"),
            stranger.post(f"{at}/redeliver", span()),
        ]

        assert {answer.status_code for answer in answers} == {404}
        assert WebhookEndpoint.objects.get().disabled_at is None


class TestWhoIsToldOfLeads:
    def test_is_said_on_the_business(self, business, user):
        place = f"/users/{user.user_id}"

        told_ = business.patch(place, {"notify_email": "sales@example.com"}).json()["notify_email"]
        nobody = business.patch(place, {"notify_email": ""}).json()["notify_email"]

        assert (told_, nobody) == ("sales@example.com", "")
        assert business.patch(place, {"notify_email": "nonsense"}).status_code == 400
