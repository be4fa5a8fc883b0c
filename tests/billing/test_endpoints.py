"""Webhook endpoints: what they may be, and what becomes of their secrets."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from billing import events
from billing.events import EventType
from billing.models import Event, WebhookDelivery, WebhookEndpoint
from billing.webhooks import endpoints
from billing.webhooks.endpoints import (
    EndpointDisabledError,
    EndpointNotFoundError,
    TooManyEndpointsError,
    UrlNotAllowedError,
)
from tests.factories import UserFactory, WebhookEndpointFactory

URL = "https://bakery.example/hooks"
PUBLIC = [
    *(URL, "https://bakery.example", "HTTPS://Bakery.Example:8443/a?b=c&d=%20", "https://bakery.example./"),
    *("https://8.8.8.8/", "https://134744072/", "https://[2606:4700::1111]/", "https://[::ffff:8.8.8.8]/"),
    *("https://xn--bckerei-5wa.example/", "https://a_b.example/", "https://127.example/"),
]
PRIVATE = [
    *("localhost", "LOCALHOST", "localhost.", "shop.localhost", "printer.local", "db.internal"),
    *("127.0.0.1", "127.1", "2130706433", "0x7f.1", "0x7f000001", "0177.0.0.1"),
    *("10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "192.0.2.1", "240.0.0.1"),
    *("[::1]", "[fd00::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]"),
    *("[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[2001:db8::1]"),
]
NEVER = [
    *("169.254.169.254", "2852039166", "0xa9fea9fe", "[fe80::1]", "[::ffff:169.254.169.254]"),
    *("[64:ff9b::a9fe:a9fe]", "metadata.google.internal", "224.0.0.1", "[ff02::1]"),
    *("0", "0.0.0.0", "[::]"),
]
INVALID = [
    *(
        "",
        "bakery.example",
        "//bakery.example",
        "ftp://bakery.example",
        "javascript:alert(1)",
        "https:bakery",
    ),
    *(
        "https://",
        "https:///hooks",
        "https://:443/",
        "https://user@bakery.example",
        "https://@bakery.example",
    ),
    *("https://user:pass@bakery.example", "https://bakery.example/#", "https://bakery.example/#there"),
    *("https://bakery.example:0/", "https://bakery.example:65536/", "https://bakery.example:x/"),
    *(
        "https://bakery.example/a b",
        " https://bakery.example",
        "https://bakery.example\n",
        "https://ba\tkery.example",
    ),
    *(
        "https://bakery.example/\x00",
        "https://bakery.example/\x7f",
        "https://bäckerei.example/",
        "https://\uff11\uff12\uff17.0.0.1",
    ),
    *("https://evil.example\\@bakery.example/", "https://bakery..example/", "https://-bakery.example/"),
    *(
        "https://127.0.0.1%2f.example/",
        "https://%31%32%37.0.0.1/",
        "https://256.256.256.256/",
        "https://1.2.3.4.5/",
    ),
    *(
        "https://[::1",
        "https://[fe80::1%25eth0]/",
        "https://[127.0.0.1]/",
        f"https://bakery.example/{'a' * 2000}",
    ),
]


def refused(url: str) -> str:
    with pytest.raises(UrlNotAllowedError) as refusal:
        endpoints.check_url(url)
    return refusal.value.code


def told(user_id: str) -> None:
    events.record(user_id=user_id, type=EventType.LEAD_CREATED, data={})


class TestCheckUrl:
    @pytest.mark.parametrize("url", PUBLIC)
    def test_takes_what_may_be_public(self, url):
        endpoints.check_url(url)

    @pytest.mark.parametrize("host", [*PRIVATE, *NEVER])
    def test_refuses_what_is_not_public_however_it_is_written(self, host):
        assert refused(f"https://{host}/hooks") == "address_not_public"

    @pytest.mark.parametrize("url", INVALID)
    def test_refuses_what_is_no_url_or_can_be_read_in_two_ways(self, settings, url):
        settings.WEBHOOK_ENDPOINTS_PRIVATE = True

        assert refused(url) == "invalid_url"

    def test_wants_https(self):
        assert refused("http://bakery.example/hooks") == "https_required"

    @pytest.mark.parametrize("host", PRIVATE)
    def test_takes_what_is_private_where_that_is_allowed(self, settings, host):
        settings.WEBHOOK_ENDPOINTS_PRIVATE = True

        endpoints.check_url(f"http://{host}:8000/hooks")

    @pytest.mark.parametrize("host", NEVER)
    def test_never_takes_what_tells_a_machine_its_secrets(self, settings, host):
        settings.WEBHOOK_ENDPOINTS_PRIVATE = True

        assert refused(f"http://{host}/latest/meta-data") == "address_not_public"


class TestCreate:
    def test_gives_a_secret_that_is_kept_encrypted(self, db):
        endpoint, secret = endpoints.create(
            user_id=UserFactory().user_id, url=URL, types=["lead.created", "lead.created"], description="CRM"
        )

        kept = WebhookEndpoint.objects.get()
        assert secret.startswith("whsec_")
        assert kept.secrets(timezone.now()) == [secret]
        assert secret not in kept.secret
        assert (kept.types, kept.description, kept.created_at) == (
            *(["lead.created"], "CRM", endpoint.created_at),
        )

    def test_gives_each_a_secret_of_its_own(self, db):
        user_id = UserFactory().user_id

        made = {endpoints.create(user_id=user_id, url=URL)[1] for _ in range(3)}

        assert len(made) == 3

    def test_keeps_nothing_with_a_url_that_is_refused(self, db):
        with pytest.raises(UrlNotAllowedError):
            endpoints.create(user_id=UserFactory().user_id, url="https://127.0.0.1/")

        assert not WebhookEndpoint.objects.exists()

    def test_ends_at_twenty_that_live(self, db):
        user = UserFactory()
        WebhookEndpointFactory(user=user, deleted_at=timezone.now())
        for _ in range(endpoints.MOST):
            endpoints.create(user_id=user.user_id, url=URL)

        with pytest.raises(TooManyEndpointsError):
            endpoints.create(user_id=user.user_id, url=URL)

        endpoints.create(user_id=UserFactory().user_id, url=URL)

    @pytest.mark.django_db(transaction=True)
    def test_ends_there_when_many_are_made_at_once(self):
        user = UserFactory()
        WebhookEndpointFactory.create_batch(endpoints.MOST - 1, user=user)
        start = threading.Barrier(4)

        def make() -> None:
            start.wait()
            try:
                endpoints.create(user_id=user.user_id, url=URL)
            except TooManyEndpointsError:
                pass
            finally:
                connection.close()

        threads = [threading.Thread(target=make) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert user.webhook_endpoints.count() == endpoints.MOST


class TestChange:
    def test_changes_what_is_said_and_nothing_else(self, db):
        endpoint = WebhookEndpointFactory(description="old", types=["lead.created"])

        endpoints.change(endpoint, description="new")

        kept = WebhookEndpoint.objects.get()
        assert (kept.description, kept.types, kept.url) == ("new", ["lead.created"], endpoint.url)

    def test_overwrites_nothing_that_was_written_meanwhile(self, db):
        endpoint = WebhookEndpointFactory()
        WebhookEndpoint.objects.update(failures=3)

        endpoints.change(endpoint, url="https://other.example/")

        assert (WebhookEndpoint.objects.get().failures, endpoint.failures) == (3, 3)

    def test_refuses_a_url_that_no_endpoint_may_have(self, db):
        endpoint = WebhookEndpointFactory()

        with pytest.raises(UrlNotAllowedError):
            endpoints.change(endpoint, url="https://localhost/")

        assert WebhookEndpoint.objects.get().url == endpoint.url

    def test_by_hand_switches_off(self, db):
        endpoint = WebhookEndpointFactory()

        endpoints.change(endpoint, is_enabled=False)

        told(endpoint.user_id)
        assert endpoint.disabled_at is not None
        assert endpoint.disabled_reason == endpoints.BY_HAND
        assert not WebhookDelivery.objects.exists()

    def test_leaves_the_reason_why_it_was_off_already(self, db):
        since = timezone.now() - timedelta(days=1)
        endpoint = WebhookEndpointFactory(disabled_at=since, disabled_reason="answered 410")

        endpoints.change(endpoint, is_enabled=False)

        assert (endpoint.disabled_at, endpoint.disabled_reason) == (since, "answered 410")

    def test_switches_on_and_forgets_its_failures(self, db):
        now = timezone.now()
        endpoint = WebhookEndpointFactory()
        told(endpoint.user_id)
        WebhookEndpoint.objects.update(
            disabled_at=now, disabled_reason="it failed", failures=9, failing_since=now, paused_until=now
        )

        endpoints.change(endpoint, is_enabled=True)

        kept = WebhookEndpoint.objects.get()
        assert (kept.disabled_at, kept.disabled_reason, kept.failures) == (None, "", 0)
        assert (kept.failing_since, kept.paused_until) == (None, None)
        assert WebhookDelivery.objects.get().state == "pending"

    def test_finds_none_that_was_deleted(self, db):
        endpoint = WebhookEndpointFactory(deleted_at=timezone.now())

        with pytest.raises(EndpointNotFoundError):
            endpoints.change(endpoint, description="new")


class TestRemove:
    def test_wipes_the_secrets_and_keeps_the_log(self, db):
        endpoint = WebhookEndpointFactory()
        endpoints.rotate_secret(endpoint, timedelta(hours=1))
        told(endpoint.user_id)

        endpoints.remove(endpoint)

        told(endpoint.user_id)
        kept = WebhookEndpoint.objects.get()
        assert kept.deleted_at is not None
        assert (kept.secret, kept.previous_secret, kept.previous_secret_expires_at) == ("", "", None)
        assert WebhookDelivery.objects.count() == 1

    def test_is_done_once(self, db):
        endpoint = WebhookEndpointFactory()
        endpoints.remove(endpoint)

        with pytest.raises(EndpointNotFoundError):
            endpoints.remove(endpoint)


class TestRotateSecret:
    def test_has_the_previous_one_sign_along_for_its_grace(self, db):
        endpoint = WebhookEndpointFactory(signing="whsec_b2xk")
        now = timezone.now()

        secret = endpoints.rotate_secret(endpoint, timedelta(hours=1))

        kept = WebhookEndpoint.objects.get()
        assert kept.secrets(now + timedelta(minutes=59)) == [secret, "whsec_b2xk"]
        assert kept.secrets(now + timedelta(minutes=61)) == [secret]
        assert endpoint.previous_secret_expires_at == kept.previous_secret_expires_at

    def test_without_grace_keeps_nothing_of_it(self, db):
        endpoint = WebhookEndpointFactory()

        secret = endpoints.rotate_secret(endpoint, timedelta())

        kept = WebhookEndpoint.objects.get()
        assert kept.secrets(timezone.now()) == [secret]
        assert (kept.previous_secret, kept.previous_secret_expires_at) == ("", None)

    def test_twice_keeps_the_last_but_one(self, db):
        endpoint = WebhookEndpointFactory()

        first = endpoints.rotate_secret(endpoint, timedelta(hours=1))
        second = endpoints.rotate_secret(endpoint, timedelta(hours=1))

        assert WebhookEndpoint.objects.get().secrets(timezone.now()) == [second, first]


class TestSendTest:
    def test_makes_an_event_for_this_endpoint_alone(self, db):
        endpoint = WebhookEndpointFactory(types=["lead.created"])
        WebhookEndpointFactory(user=endpoint.user)

        delivery = endpoints.send_test(endpoint)

        event = Event.objects.get()
        assert WebhookDelivery.objects.get() == delivery
        assert (delivery.endpoint, delivery.state) == (endpoint, "pending")
        assert (event.type, event.user_id) == ("endpoint.test", endpoint.user_id)
        assert event.data["endpoint_id"] == endpoint.endpoint_id

    def test_names_the_delivery_as_the_trigger_does(self, db):
        endpoint = WebhookEndpointFactory()
        told(endpoint.user_id)

        endpoints.send_test(endpoint)

        for delivery in WebhookDelivery.objects.all():
            assert delivery.delivery_id == f"whd_{delivery.event_id[4:]}_{endpoint.endpoint_id[-8:]}"

    def test_ends_a_pause_after_failures(self, db):
        endpoint = WebhookEndpointFactory(paused_until=timezone.now() + timedelta(hours=1))

        endpoints.send_test(endpoint)

        assert WebhookEndpoint.objects.get().paused_until is None

    def test_is_refused_where_nothing_is_sent(self, db):
        endpoint = WebhookEndpointFactory(disabled_at=timezone.now())

        with pytest.raises(EndpointDisabledError):
            endpoints.send_test(endpoint)

        assert not Event.objects.exists()
