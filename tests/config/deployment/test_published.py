"""What must hold where the service stands behind a proxy, or strangers may reach it."""

from config.deployment import published


class TestProxies:
    def test_a_proxy_that_ends_tls_must_be_counted(self, settings):
        settings.SECURE_PROXY_SSL_HEADER, settings.TRUSTED_PROXIES = ("HTTP_X_FORWARDED_PROTO", "https"), 0

        assert [message.id for message in published.check_proxies()] == ["config.W009"]

    def test_one_that_is_counted_is_fine_and_so_is_none(self, settings):
        assert published.check_proxies() == []
        settings.SECURE_PROXY_SSL_HEADER, settings.TRUSTED_PROXIES = ("HTTP_X_FORWARDED_PROTO", "https"), 1

        assert published.check_proxies() == []


class TestEndpoints:
    def test_private_addresses_are_named_only_when_exposed(self, settings):
        settings.WEBHOOK_ENDPOINTS_PRIVATE = True
        assert published.check_endpoints() == []

        settings.EXPOSED_BY = ["DJANGO_ALLOWED_HOSTS"]

        assert [message.id for message in published.check_endpoints()] == ["config.W010"]
