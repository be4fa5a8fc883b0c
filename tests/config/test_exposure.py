"""Values everybody knows are refused as soon as strangers may reach the service, whatever APP_ENV says."""

import pytest

from config import exposure
from config.checks import check_environment
from config.lib import local_secrets

SIMULATED = {"WHATSAPP_API_BASE_URL": "http://127.0.0.1:9090/v25.0"}


class TestExposedBy:
    @pytest.mark.parametrize(
        "host",
        [
            "localhost",
            "127.0.0.1",
            "[::1]",
            "testserver",
            "web",
            "10.1.2.3",
            "[fd00::1]",
            "box.local",
            ".test",
        ],
    )
    def test_private_hosts_are_not_exposed(self, host):
        assert exposure.exposed_by(["localhost", host], **SIMULATED) == []

    @pytest.mark.parametrize(
        "host",
        ["example.com", ".example.com", "*", "8.8.8.8", "[2a00::1]", "a.ngrok.app", "localhost.example.com"],
    )
    def test_public_hosts_are_exposed(self, host):
        found = exposure.exposed_by(["localhost", host], **SIMULATED)

        assert found == ["DJANGO_ALLOWED_HOSTS"]

    @pytest.mark.parametrize(
        "url",
        ["https://graph.facebook.com/v25.0", "https://graph.instagram.com/v25.0", "https://proxy.example"],
    )
    def test_a_base_url_elsewhere_is_exposed(self, url):
        found = exposure.exposed_by(["localhost"], **SIMULATED, URL=url)

        assert found == ["URL"]


class TestCheck:
    @pytest.mark.parametrize(
        ("name", "variable"),
        [
            ("DJANGO_SECRET_KEY", "DJANGO_SECRET_KEY"),
            ("FIELD_ENCRYPTION_KEYS", "FIELD_ENCRYPTION_KEY"),
            ("WEBHOOK_SECRETS", "WEBHOOK_SECRET"),
            ("WEBHOOK_VERIFY_TOKEN", "WEBHOOK_VERIFY_TOKEN"),
        ],
    )
    def test_refuses_each_published_secret_when_exposed(self, settings, name, variable):
        settings.EXPOSED_BY = ["DJANGO_ALLOWED_HOSTS"]
        for each in ("DJANGO_SECRET_KEY", "WEBHOOK_VERIFY_TOKEN"):
            setattr(settings, each, "own")
        settings.WEBHOOK_SECRETS = ["own"]
        settings.FIELD_ENCRYPTION_KEYS = ["b3duLW93bi1vd24tb3duLW93bi1vd24tb3duLW93bi0="]
        assert check_environment() == []
        published = local_secrets.PUBLISHED[variable]

        setattr(settings, name, ["own", published] if name == "WEBHOOK_SECRETS" else published)
        if name == "FIELD_ENCRYPTION_KEYS":
            settings.FIELD_ENCRYPTION_KEYS = [published]

        (found,) = check_environment()
        assert found.id == "config.E012"
        assert found.msg.startswith(f"{variable} has a value that was published")
        assert published not in found.msg

    def test_starts_with_the_secrets_of_the_checkout_when_exposed(self, tmp_path, run_python):
        ended = run_python(
            "manage.py", "check", APP_ENV="development", DATA_DIR=str(tmp_path),
            DJANGO_ALLOWED_HOSTS="agents.example.com", WEBHOOK_SECRET="the-secret-of-the-app-at-meta",
            WHATSAPP_API_BASE_URL="https://graph.facebook.com/v25.0",
        )  # fmt: skip

        assert (ended.returncode, ended.stderr) == (0, "")

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({}, "True"),
            ({"DJANGO_ALLOWED_HOSTS": "agents.example.com"}, "False"),
            ({"INSTAGRAM_API_BASE_URL": "https://graph.instagram.com/v25.0"}, "False"),
        ],
    )
    def test_endpoints_at_private_addresses_are_refused_when_exposed(
        self, tmp_path, run_python, changes, expected
    ):
        ended = run_python(
            "-c", "from config import settings; print(settings.WEBHOOK_ENDPOINTS_PRIVATE)",
            APP_ENV="development", DATA_DIR=str(tmp_path), **changes,
        )  # fmt: skip

        assert ended.stdout.strip() == expected, ended.stderr

    def test_says_that_metas_webhooks_need_the_apps_secret(self, settings):
        settings.EXPOSED_BY, settings.LOCAL_SECRETS = ["WHATSAPP_API_BASE_URL"], {"WEBHOOK_SECRET"}

        assert "config.W002" in [message.id for message in check_environment()]
