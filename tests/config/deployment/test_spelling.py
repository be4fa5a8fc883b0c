"""A misspelt variable is silently ignored by everything but this check."""

import pytest

from config.deployment import spelling
from tests.rig import PROJECT

KNOWN = spelling.known(PROJECT / ".env.example")


class TestMisspelt:
    @pytest.mark.parametrize(
        ("name", "meant"),
        [
            ("WEBHOK_SECRET", "WEBHOOK_SECRET"),
            ("MESSAGE_QUEUE_SHARD", "MESSAGE_QUEUE_SHARDS"),
            ("DATABASE_URI", "DATABASE_URL"),
            ("OPENAI_KEY", "OPENAI_API_KEY"),
            ("EXTRACTION_INTERVALL", "EXTRACTION_INTERVAL"),
            ("LOG_LEVL", "LOG_LEVEL"),
            ("WEBHOK_PORT", "WEBHOOK_PORT"),
        ],
    )
    def test_suggests_what_was_meant(self, name, meant):
        assert spelling.misspelt({name: "x"}, known=KNOWN) == [f"Nothing reads {name}. Did you mean {meant}?"]

    def test_names_a_variable_of_our_prefix_that_resembles_none(self):
        assert spelling.misspelt({"TURN_ON_TELEPATHY": "1"}, known=KNOWN) == [
            "Nothing reads TURN_ON_TELEPATHY."
        ]

    @pytest.mark.parametrize(
        "name",
        [
            *("PATH", "HOME", "LANG", "PORT", "HOSTNAME", "PYTHONPATH", "VIRTUAL_ENV", "XDG_DATA_DIRS"),
            *(
                "AWS_ACCESS_KEY_ID",
                "KUBERNETES_SERVICE_HOST",
                "REDIS_SERVICE_HOST",
                "REDIS_PORT_6379_TCP_ADDR",
            ),
            *(
                "DJANGO_SETTINGS_MODULE",
                "DJANGO_SUPERUSER_PASSWORD",
                "APP_DIR",
                "API_BASE",
                "WEB_CONCURRENCY",
            ),
        ],
    )
    def test_leaves_other_programs_variables_alone(self, name):
        assert spelling.misspelt({name: "x"}, known=KNOWN) == []

    def test_leaves_the_address_of_a_container_alone(self):
        assert spelling.misspelt({"REDIS_PORT": "tcp://10.0.0.1:6379"}, known=KNOWN) == []

    def test_leaves_every_variable_alone_that_is_read(self):
        assert len(KNOWN) > 50
        assert spelling.misspelt(dict.fromkeys(KNOWN, "x"), known=KNOWN) == []
