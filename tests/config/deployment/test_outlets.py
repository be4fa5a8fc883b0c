"""A storage that cannot be used, and defaults that suit one machine only."""

import pytest

from config.checks import check_environment
from config.deployment import outlets


class TestStorage:
    @pytest.mark.parametrize(
        ("storage", "words"),
        [
            ({"BACKEND": "storages.backends.s3.S3Storage"}, "No module named 'storages'"),
            (
                {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"bucket_name": "b"}},
                "bucket_name",
            ),
        ],
    )
    def test_that_cannot_be_created_is_refused_with_the_reason(self, settings, storage, words):
        settings.STORAGES = {**settings.STORAGES, "default": storage}

        (found,) = check_environment()

        assert (found.id, found.is_serious()) == ("config.E014", True)
        assert words in found.msg


class TestChoices:
    @pytest.fixture(autouse=True)
    def _nothing_chosen(self, monkeypatch, settings):
        monkeypatch.delenv("STORAGE_BACKEND", raising=False)
        monkeypatch.delenv("STORAGE_OPTIONS", raising=False)
        settings.EMAIL_IS_SENT = False

    def test_defaults_that_suit_one_host_are_named(self):
        assert [message.id for message in outlets.check_choices()] == ["config.W005", "config.W006"]

    def test_what_was_chosen_is_not_named(self, monkeypatch, settings):
        monkeypatch.setenv("STORAGE_OPTIONS", '{"location": "/srv/media"}')
        settings.EMAIL_IS_SENT = True

        assert outlets.check_choices() == []
