"""Passwords of staff: long enough, not common, not like the name; said clearly wherever one is set."""

import io

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

GOOD = "a quiet long password"
WEAK = {
    "short-7": "This password is too short. It must contain at least 12 characters.",
    "123456789012345": "This password is entirely numeric.",
    "qwerty123456": "This password is too common.",
    "susanne.meyer": "The password is too similar to the username.",
}


@pytest.fixture
def superuser(people):
    return people.superuser


@pytest.mark.parametrize(("password", "error"), WEAK.items())
class TestWeakPassword:
    def test_is_refused_for_a_new_account(self, superuser, password, error):
        response = superuser.post(
            "/admin/auth/user/add/",
            {
                "username": "susanne.meyer",
                "password1": password,
                "password2": password,
                "usable_password": "true",
            },
        )

        assert error in response.content.decode()
        assert not User.objects.filter(username="susanne.meyer").exists()

    def test_is_refused_when_a_superuser_sets_it(self, superuser, password, error):
        user = User.objects.create_user("susanne.meyer", password=GOOD, is_staff=True)

        response = superuser.post(
            f"/admin/auth/user/{user.pk}/password/",
            {"password1": password, "password2": password, "usable_password": "true"},
        )

        assert error in response.content.decode()
        user.refresh_from_db()
        assert user.check_password(GOOD)

    def test_is_refused_by_createsuperuser(self, db, monkeypatch, password, error):
        output = io.StringIO()
        answers = iter([password, password])
        monkeypatch.setattr("getpass.getpass", lambda *_prompt: next(answers))
        monkeypatch.setattr("builtins.input", lambda *_prompt: "n")

        class Terminal(io.StringIO):
            def isatty(self):
                return True

        with pytest.raises((SystemExit, StopIteration, CommandError)):
            call_command(
                "createsuperuser", username="susanne.meyer", email="s@example.com",
                stdin=Terminal(), stdout=output, stderr=output,
            )  # fmt: skip

        assert error in output.getvalue()
        assert not User.objects.filter(username="susanne.meyer").exists()


def test_good_password_is_taken(superuser):
    superuser.post(
        "/admin/auth/user/add/",
        {"username": "susanne.meyer", "password1": GOOD, "password2": GOOD, "usable_password": "true"},
    )

    assert User.objects.get(username="susanne.meyer").check_password(GOOD)
