"""Events reach endpoints, whatever those do."""

import json
import socket
import time
from datetime import timedelta

import pytest
from django.utils import timezone
from django.utils.http import http_date
from standardwebhooks import Webhook
from ulid import ULID

from billing import events, retention
from billing.events import EventType
from billing.models import Email, Event, WebhookDelivery, WebhookEndpoint
from billing.webhooks import delivery, endpoints, posting
from config.lib import jobs, outbound, shutdown
from tests import racing
from tests.billing.receiver import Receiver
from tests.factories import UserFactory


def tell(endpoint, *, conversation="", **data) -> WebhookDelivery:
    events.record(
        user_id=endpoint.user_id, type=EventType.LEAD_CREATED, data=data, conversation_id=conversation
    )
    return WebhookDelivery.objects.filter(endpoint=endpoint).latest("event__sequence")


def deliver(endpoint, **more) -> int:
    return delivery.deliver(endpoint_id=endpoint.pk, **more)


def of(endpoint, moment) -> WebhookDelivery:
    """Tell the endpoint what happened at a moment."""
    event = Event.objects.create(
        event_id=f"evt_{ULID.from_datetime(moment)}",
        user_id=endpoint.user_id,
        type=EventType.LEAD_CREATED,
        created_at=moment,
    )
    return WebhookDelivery.objects.get(event=event)


def make_due(endpoint) -> None:
    """Let the time until the next attempt be over."""
    WebhookDelivery.objects.update(due_at=timezone.now(), lease_expires_at=None)
    WebhookEndpoint.objects.update(paused_until=None)


def attempts(told: WebhookDelivery) -> list[tuple]:
    told.refresh_from_db()
    return [(entry["status"], entry["error"]) for entry in told.log]


def state(told: WebhookDelivery) -> str:
    told.refresh_from_db()
    return told.state


class TestDeliver:
    def test_posts_the_event_signed(self, receiver, endpoint):
        told = tell(endpoint, conversation="cnv_1", lead={"name": "Zoë"})

        assert deliver(endpoint) == 1

        (post,) = receiver.posts
        said = Webhook(endpoint.plain).verify(post["body"], post["headers"])
        event = Event.objects.get()
        assert said == {
            "type": "lead.created",
            "timestamp": event.created_at.isoformat().replace("+00:00", "Z"),
            "event_id": event.pk,
            "sequence": event.sequence,
            "user_id": endpoint.user_id,
            "conversation_id": "cnv_1",
            "data": {"lead": {"name": "Zoë"}},
        }
        assert post["headers"]["webhook-id"] == event.pk
        assert (state(told), attempts(told)) == ("delivered", [(204, "")])
        assert told.ended_at is not None

    def test_signs_with_both_secrets_while_one_is_rotated(self, receiver, endpoint):
        new = endpoints.rotate_secret(endpoint, timedelta(hours=1))
        tell(endpoint)

        deliver(endpoint)

        for secret in (new, endpoint.plain):
            Webhook(secret).verify(receiver.posts[0]["body"], receiver.posts[0]["headers"])

    def test_posts_what_is_told_of_a_talk_in_its_order(self, receiver, endpoint):
        for number in range(5):
            tell(endpoint, conversation="cnv_1", number=number)

        deliver(endpoint)

        assert [json.loads(post["body"])["data"]["number"] for post in receiver.posts] == [*range(5)]

    def test_posts_each_once_though_many_deliver(self, receiver, endpoint):
        for number in range(30):
            tell(endpoint, conversation=f"cnv_{number % 4}", number=number)

        racing.at_once(*[lambda: deliver(endpoint)] * 6)
        deliver(endpoint)

        assert sorted(json.loads(post["body"])["data"]["number"] for post in receiver.posts) == [*range(30)]
        for talk in range(4):
            said = [json.loads(post["body"]) for post in receiver.posts]
            mine = [one["sequence"] for one in said if one["conversation_id"] == f"cnv_{talk}"]
            assert mine == sorted(mine)

    def test_posts_to_an_endpoint_side_by_side_but_not_without_limit(self, receiver, endpoint, monkeypatch):
        for _ in range(40):
            tell(endpoint)
        receiver.always(delay=0.1)
        monkeypatch.setattr(delivery, "SLICE", 60)

        racing.at_once(*[lambda: deliver(endpoint)] * (delivery.slots(is_slow=False) + 4))

        assert len(receiver.posts) == 40
        assert 1 < receiver.most_at_once <= delivery.slots(is_slow=False)

    def test_posts_of_one_talk_one_at_a_time(self, receiver, endpoint):
        for _ in range(5):
            tell(endpoint, conversation="cnv_1")
        receiver.always(delay=0.1)

        racing.at_once(*[lambda: deliver(endpoint)] * 4)
        deliver(endpoint)

        assert (len(receiver.posts), receiver.most_at_once) == (5, 1)

    def test_posts_nothing_more_once_the_process_is_to_stop(self, receiver, endpoint):
        told = tell(endpoint)
        shutdown.is_stopping.set()
        try:
            assert deliver(endpoint) == 0
        finally:
            shutdown.is_stopping.clear()

        assert state(told) == "pending"

    def test_ends_after_a_while_and_leaves_the_rest_to_the_next(self, receiver, endpoint, monkeypatch):
        monkeypatch.setattr(delivery, "SLICE", 0)
        for _ in range(3):
            tell(endpoint)

        assert deliver(endpoint) == 1

    def test_posts_again_what_somebody_died_over_under_the_same_id(self, receiver, endpoint):
        tell(endpoint)
        claimed = delivery._claim(endpoint.pk).delivery
        assert deliver(endpoint) == 0
        make_due(endpoint)

        deliver(endpoint)

        assert [post["headers"]["webhook-id"] for post in receiver.posts] == [claimed.event_id]

    def test_of_a_lost_lease_changes_nothing(self, receiver, endpoint):
        told = tell(endpoint)
        claimed = delivery._claim(endpoint.pk).delivery
        make_due(endpoint)
        deliver(endpoint)

        delivery._note(claimed, delivery.Outcome(500), {})

        assert (state(told), len(told.log)) == ("delivered", 1)

    def test_leaves_what_is_switched_off_and_goes_on_when_it_is_on_again(self, receiver, endpoint):
        tell(endpoint)
        endpoints.change(endpoint, is_enabled=False)
        assert not delivery.due_endpoints()
        assert deliver(endpoint) == 0

        endpoints.change(endpoint, is_enabled=True)
        deliver(endpoint)

        assert len(receiver.posts) == 1


class TestFailing:
    @pytest.mark.parametrize(
        ("plan", "entry"),
        [
            ({"status": 500}, (500, "")),
            ({"status": 404}, (404, "")),
            ({"reset": True}, (None, "no answer: RemoteDisconnected")),
        ],
    )
    def test_is_tried_again_until_it_works(self, receiver, endpoint, plan, entry):
        told = tell(endpoint)
        receiver.plan(plan, plan)

        for _ in range(3):
            deliver(endpoint)
            make_due(endpoint)

        assert (state(told), attempts(told)) == ("delivered", [entry, entry, (204, "")])
        assert len({post["headers"]["webhook-id"] for post in receiver.posts}) == 1
        assert len({post["body"] for post in receiver.posts}) == 1
        endpoint.refresh_from_db()
        assert (endpoint.failures, endpoint.failing_since) == (0, None)

    @pytest.mark.parametrize("plan", [{"delay": 3}, {"drip": True}], ids=str)
    def test_is_not_waited_for_without_end(self, receiver, endpoint, plan, monkeypatch):
        monkeypatch.setattr(posting, "TIMEOUT", 1.0)
        told = tell(endpoint)
        receiver.plan(plan)

        deliver(endpoint)

        assert (state(told), attempts(told)) == ("pending", [(None, "no answer: not in time")])

    def test_with_an_endless_body_is_taken_all_the_same(self, receiver, endpoint):
        told = tell(endpoint)
        receiver.plan({"status": 200, "endless": True})

        deliver(endpoint)

        assert state(told) == "delivered"

    def test_follows_no_redirect(self, receiver, endpoint):
        with Receiver() as other:
            receiver.plan({"status": 307, "headers": {"location": other.url}})
            told = tell(endpoint)

            deliver(endpoint)

            assert attempts(told) == [(307, "redirects are not followed")]
            assert other.connections == 0

    def test_waits_longer_each_time_and_as_long_as_it_is_asked_to(self):
        waits = [delivery._wait(attempt, delivery.Outcome(500)) for attempt in (1, 3, 5, 50)]

        assert waits == sorted(waits)
        assert waits[-1] < 60 * 60 * 15
        assert delivery._wait(1, delivery.Outcome(503, wait=900)) == 900

    @pytest.mark.parametrize(
        ("status", "said", "seconds"),
        [
            (503, "900", 900),
            (429, "900", 900),
            (429, lambda: http_date(time.time() + 900), 900),
            (429, "9" * 6000, 3600),
            (429, lambda: http_date(time.time() + 1e6), 3600),
        ],
        ids=["503", "429", "a date", "no end", "a date far off"],
    )
    def test_is_left_alone_for_as_long_as_it_asks_but_an_hour_at_most(
        self, receiver, endpoint, status, said, seconds
    ):
        told, other = tell(endpoint, n=1), tell(endpoint, n=2)
        said = said() if callable(said) else said
        receiver.plan({"status": status, "headers": {"retry-after": said}})

        deliver(endpoint)

        endpoint.refresh_from_db()
        told.refresh_from_db()
        asked = timedelta(seconds=seconds)
        for moment in (endpoint.paused_until, told.due_at):
            assert abs(moment - timezone.now() - asked) < timedelta(minutes=2)
        assert (state(other), len(receiver.posts)) == ("pending", 1)

    @pytest.mark.parametrize(("status", "said"), [(500, "900"), (503, "soon"), (503, "-5"), (429, "")])
    def test_is_not_left_alone_where_it_does_not_say_for_how_long(self, receiver, endpoint, status, said):
        tell(endpoint)
        receiver.plan({"status": status, "headers": {"retry-after": said}})

        deliver(endpoint)

        endpoint.refresh_from_db()
        assert (endpoint.failures, endpoint.paused_until) == (1, None)

    def test_is_asked_by_one_alone_once_it_may_be_asked_again(self, receiver, endpoint):
        for _ in range(10):
            tell(endpoint)
        WebhookEndpoint.objects.update(failures=8, paused_until=timezone.now())
        receiver.always(status=500, delay=0.2)

        racing.at_once(*[lambda: deliver(endpoint)] * 4)

        assert len(receiver.posts) == 1

    def test_that_nobody_foresaw_is_an_attempt_like_others(self, receiver, endpoint):
        endpoint.set_secret("whsec_of one character only: é")
        endpoint.save()
        told = tell(endpoint)

        deliver(endpoint)

        assert (state(told), attempts(told)) == ("pending", [(None, "it could not be posted")])
        assert told.due_at > timezone.now()

    def test_to_speak_tls_is_tried_again(self, receiver, endpoint):
        WebhookEndpoint.objects.update(url=receiver.url.replace("http:", "https:"))
        told = tell(endpoint)

        deliver(endpoint)

        ((status, error),) = attempts(told)
        assert (state(told), status) == ("pending", None)
        assert error.startswith("no connection: SSL")

    def test_of_one_that_was_deleted_meanwhile_is_told_to_nobody(self, receiver, endpoint):
        tell(endpoint)
        claimed = delivery._claim(endpoint.pk).delivery
        endpoints.remove(endpoint)

        delivery._note(claimed, delivery.Outcome(410), {"milliseconds": 1})

        assert not Email.objects.exists()

    def test_ends_after_three_days_and_switches_the_endpoint_off(self, receiver, endpoint):
        long_ago = timezone.now() - timedelta(days=3, minutes=1)
        told = tell(endpoint)
        WebhookDelivery.objects.update(wanted_at=long_ago)
        WebhookEndpoint.objects.update(failing_since=long_ago, failures=40)
        receiver.plan({"status": 500})

        deliver(endpoint)

        assert state(told) == "failed"
        endpoint.refresh_from_db()
        assert endpoint.disabled_reason == "it took nothing for three days"
        (mail,) = Email.objects.all()
        assert endpoint.url in mail.body

    def test_is_switched_off_at_once_when_it_says_that_it_is_gone(self, receiver, endpoint):
        tell(endpoint)
        tell(endpoint)
        receiver.plan({"status": 410})

        deliver(endpoint)

        endpoint.refresh_from_db()
        assert endpoint.disabled_reason == "it answered that it is gone (410)"
        assert (len(receiver.posts), Email.objects.count()) == (1, 1)

    def test_again_and_again_is_left_alone_for_a_while(self, receiver, endpoint):
        for _ in range(10):
            tell(endpoint)
        receiver.always(status=500)

        deliver(endpoint)

        assert len(receiver.posts) == delivery.PATIENT_FAILURES
        assert not delivery.due_endpoints()

    def test_does_not_keep_others_waiting(self, receiver, endpoint):
        with Receiver() as other:
            second, _ = endpoints.create(user_id=endpoint.user_id, url=other.url)
            receiver.always(status=500)
            tell(endpoint)

            deliver(endpoint)
            deliver(second)

            assert len(other.posts) == 1


class TestShares:
    """What one business may take of the threads that post webhooks."""

    def test_posts_in_flight_are_counted_over_all_endpoints_of_a_business(
        self, receiver, endpoint, monkeypatch
    ):
        monkeypatch.setattr(delivery, "SLICE", 60)
        others = [endpoints.create(user_id=endpoint.user_id, url=receiver.url)[0] for _ in range(3)]
        mine = [endpoint, *others]
        for _ in range(8):
            tell(endpoint)
        receiver.always(delay=0.1)

        racing.at_once(*[lambda made=made: deliver(made) for made in mine for _ in range(4)])
        for made in mine:
            deliver(made)

        assert len(receiver.posts) == 32
        assert 1 < receiver.most_at_once <= delivery.slots(is_slow=False)

    @pytest.mark.parametrize("is_slow", [True, False])
    def test_another_business_is_posted_to_while_one_has_used_all_its_slots(
        self, receiver, endpoint, is_slow
    ):
        other, _ = endpoints.create(user_id=UserFactory().user_id, url=receiver.url)
        WebhookEndpoint.objects.update(slow_until=timezone.now() + timedelta(hours=1) if is_slow else None)
        slots = delivery.slots(is_slow=is_slow)
        for _ in range(slots + 1):
            tell(endpoint)
        tell(other)

        claimed = [delivery._claim(endpoint.pk, is_slow=is_slow) for _ in range(slots + 1)]

        assert [bool(one) for one in claimed] == [True] * slots + [False]
        assert deliver(other, is_slow=is_slow) == 1

    def test_endpoint_that_takes_long_to_answer_is_slow_for_a_minute(self, receiver, endpoint, monkeypatch):
        monkeypatch.setattr(delivery, "SLOW_AFTER", 0.1)
        tell(endpoint)
        tell(endpoint)
        receiver.plan({"delay": 0.3})

        assert deliver(endpoint) == 1
        assert delivery.due_endpoints() == {endpoint.pk: True}
        assert (deliver(endpoint), deliver(endpoint, is_slow=True)) == (0, 1)

        tell(endpoint)
        endpoint.refresh_from_db()
        assert timedelta() < endpoint.slow_until - timezone.now() <= delivery.SLOW_FOR
        WebhookEndpoint.objects.update(slow_until=timezone.now())
        assert delivery.due_endpoints() == {endpoint.pk: False}
        assert (deliver(endpoint, is_slow=True), deliver(endpoint)) == (0, 1)

    @pytest.mark.parametrize(
        ("is_slow", "job"), [(False, "deliver_webhooks"), (True, "deliver_slow_webhooks")]
    )
    def test_slow_endpoints_are_rung_for_by_a_job_of_their_own(self, valkey, endpoint, is_slow, job):
        WebhookEndpoint.objects.update(slow_until=timezone.now() + timedelta(hours=1) if is_slow else None)
        tell(endpoint)

        delivery.ring_due()

        (ring,) = valkey.lrange("notify", 0, -1)
        assert json.loads(ring)["headers"]["task"] == f"billing.{job}"

    @pytest.mark.parametrize(("due", "rings"), [(1, 0), (2, 1), (5, 1)])
    def test_drain_rings_for_one_more_thread_where_more_is_due(self, valkey, endpoint, due, rings):
        for _ in range(due):
            tell(endpoint)

        deliver(endpoint)

        jobs.flush()
        assert valkey.llen("notify") == rings


class TestAddresses:
    @pytest.mark.parametrize(
        "host",
        ["127.0.0.1", "[::1]", "0", "2130706433", "0x7f.1", "169.254.169.254", "[::ffff:169.254.169.254]",
         "[::ffff:127.0.0.1]", "localhost"],
    )  # fmt: skip
    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_that_are_our_own_are_not_connected_to(self, receiver, endpoint, settings, host, scheme):
        settings.WEBHOOK_ENDPOINTS_PRIVATE = False
        WebhookEndpoint.objects.update(url=f"{scheme}://{host}:{receiver.port}/hook")
        told = tell(endpoint)

        deliver(endpoint)

        assert attempts(told) == [(None, "the address is not public")]
        assert receiver.connections == 0

    @pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1"])
    def test_that_a_name_leads_to_are_looked_at(self, receiver, endpoint, settings, monkeypatch, address):
        settings.WEBHOOK_ENDPOINTS_PRIVATE = False
        WebhookEndpoint.objects.update(url=f"https://shop.example:{receiver.port}/hook")
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, receiver.port))]
        monkeypatch.setattr(outbound.socket, "getaddrinfo", lambda *_args, **_more: found)
        told = tell(endpoint)

        deliver(endpoint)

        assert attempts(told) == [(None, "the address is not public")]
        assert receiver.connections == 0

    def test_are_asked_for_once_so_that_a_name_cannot_lead_elsewhere_afterwards(
        self, receiver, endpoint, settings, monkeypatch
    ):
        settings.WEBHOOK_ENDPOINTS_PRIVATE = False
        answers = ["192.88.99.1", "127.0.0.1"]
        asked = []

        def resolve(*_args, **_more):
            asked.append(answers[min(len(asked), 1)])
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (asked[-1], receiver.port))]

        connected = []

        def connect(address, **_more):
            connected.append(address[0])
            raise ConnectionRefusedError

        monkeypatch.setattr(outbound.socket, "getaddrinfo", resolve)
        monkeypatch.setattr(outbound.socket, "create_connection", connect)
        WebhookEndpoint.objects.update(url="https://shop.example/hook")
        tell(endpoint)

        deliver(endpoint)

        assert (len(asked), connected) == (1, ["192.88.99.1"])
        assert receiver.connections == 0

    @pytest.mark.parametrize(
        "url", ["file:///etc/passwd", "gopher://127.0.0.1/x", "http://169.254.169.254/x"]
    )
    def test_of_other_kinds_are_never_asked(self, receiver, endpoint, url):
        WebhookEndpoint.objects.update(url=url)
        told = tell(endpoint)

        deliver(endpoint)

        ((status, error),) = attempts(told)
        assert (status, bool(error)) == (None, True)


class TestPurge:
    def test_forgets_what_ended_long_ago_and_keeps_what_waits(self, receiver, endpoint):
        long_ago = timezone.now() - timedelta(days=40)
        done, waits = of(endpoint, long_ago), of(endpoint, long_ago)
        fresh = of(endpoint, timezone.now() - timedelta(days=20))
        WebhookDelivery.objects.filter(pk__in=[done.pk, fresh.pk]).update(state="delivered")

        retention.purge(now=timezone.now())

        assert set(WebhookDelivery.objects.values_list("pk", flat=True)) == {waits.pk, fresh.pk}
        assert set(Event.objects.values_list("pk", flat=True)) == {waits.event_id, fresh.event_id}

    def test_forgets_what_waits_for_an_endpoint_that_is_long_gone(self, receiver, endpoint):
        long_ago = timezone.now() - timedelta(days=40)
        of(endpoint, long_ago)
        WebhookEndpoint.objects.update(deleted_at=long_ago)

        retention.purge(now=timezone.now())

        assert (WebhookDelivery.objects.count(), Event.objects.count()) == (0, 0)

    def test_forgets_old_e_mails_but_not_those_that_wait(self, receiver, endpoint):
        long_ago = timezone.now() - timedelta(days=40)
        for age, mail_state in ((long_ago, "sent"), (long_ago, "pending"), (timezone.now(), "failed")):
            Email.objects.create(
                email_id=f"eml_{ULID.from_datetime(age)}", user_id=endpoint.user_id, to="a@example.com",
                subject="A", body="A", reference=f"{age} {mail_state}", state=mail_state,
            )  # fmt: skip

        retention.purge(now=timezone.now())

        assert set(Email.objects.values_list("state", flat=True)) == {"pending", "failed"}
