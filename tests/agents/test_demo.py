"""The demo business is the same however often it is made."""

import hashlib
import json
import stat
from io import StringIO

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User as Staff
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from agents import demo, routing
from agents.models import Agent, Prompt, PromptVersion
from billing import keys, ledger
from billing.models import ApiKey, Credit, CreditEntry, User
from channels_app.models import PhoneNumber
from channels_app.webchat import chats
from config.lib import demo_credentials, local_secrets

# One of each, but for a number on WhatsApp, an account on Instagram and a web chat.
MADE = {
    User: 1, Credit: 1, CreditEntry: 1, PhoneNumber: 3, Prompt: 1, PromptVersion: 1, Agent: 3, ApiKey: 2,
}  # fmt: skip


def derived(purpose: str) -> str:
    """Return what earlier versions derived the demo's secrets from: a value of the repository."""
    return hashlib.sha256(f"{purpose}{local_secrets.PUBLISHED['DJANGO_SECRET_KEY']}".encode()).hexdigest()


DERIVED_KEYS = {
    f"mcak_demo_{derived('')[:43]}": "usr_demo",
    f"mcak_demoop_{derived('operator ')[:43]}": None,
}
DERIVED_PASSWORD = derived("staff ")[:16]


@pytest.fixture(autouse=True)
def data_dir(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    return tmp_path


@pytest.fixture
def old_demo(valkey, db, settings):
    """The demo as an earlier version created it in a checkout."""
    settings.APP_ENV = "development"
    demo.seed()
    ApiKey.objects.all().delete()
    for key, user_id in DERIVED_KEYS.items():
        keys.register(key, user_id=user_id, name="demo")
    staff = Staff.objects.get(username="demo")
    staff.set_password(DERIVED_PASSWORD)
    staff.save()


def works(key: str) -> bool:
    return keys.find(key, now=timezone.now()) is not None


class TestSeed:
    def test_twice_makes_everything_once(self, valkey, db):
        first = demo.seed()
        counts = {model: model.objects.count() for model in MADE}

        second = demo.seed()

        assert second == first
        assert counts == {model: model.objects.count() for model in MADE} == MADE
        assert ledger.balance(first.user_id) == demo.CREDITS

    def test_lets_its_web_chat_stand_on_pages_of_this_machine(self, valkey, db, settings):
        demo.seed()

        chat = chats.find(chats.DEMO_NUMBER)
        assert chat is not None
        assert f"http://127.0.0.1:{settings.API_PORT}" in chat.allowed_origins
        assert routing.get(chats.DEMO_NUMBER) is not None

    def test_makes_an_agent_that_can_answer(self, valkey, db):
        made = demo.seed()

        entry = routing.get(made.phone_number_id)

        assert entry is not None
        assert Prompt.objects.get(pk=entry["prompt_id"]).versions.count() == 1
        assert PhoneNumber.objects.get(pk=made.phone_number_id).get_access_token() == "demo-access-token"

    def test_does_not_give_spent_credits_again(self, valkey, db):
        made = demo.seed()
        ledger.charge(user_id=made.user_id, amount=1, reference="turn 1")

        demo.seed()

        assert Credit.objects.get().remaining_credits == demo.CREDITS - 1

    def test_makes_somebody_who_may_sign_in_where_software_is_developed(self, valkey, db, settings):
        settings.APP_ENV = "development"

        name, _, password = demo.seed().staff_login.partition(" / ")

        assert demo.seed().staff_login == f"{name} / {password}"
        assert authenticate(username=name, password=password).is_superuser

    @pytest.mark.parametrize("environment", ["test", "production"])
    def test_makes_nobody_who_may_sign_in_elsewhere(self, environment, valkey, db, settings):
        settings.APP_ENV = environment

        assert demo.seed().staff_login == ""
        assert not Staff.objects.exists()

    def test_makes_a_key_of_the_business_and_one_of_an_operator(self, valkey, db):
        made = demo.seed()

        found = {key: keys.find(key, now=timezone.now()) for key in (made.api_key, made.operator_key)}

        assert {key: (row.prefix, row.user_id) for key, row in found.items()} == {
            made.api_key: ("demo", made.user_id), made.operator_key: ("demoop", None),
        }  # fmt: skip
        assert made.api_key.rpartition("_")[2] != made.operator_key.rpartition("_")[2]


class TestSecrets:
    def test_nothing_that_can_be_computed_from_the_repository_gives_access(self, valkey, db, settings):
        settings.APP_ENV = "development"

        demo.seed()

        assert [key for key in DERIVED_KEYS if works(key)] == []
        assert authenticate(username="demo", password=DERIVED_PASSWORD) is None

    def test_are_in_files_that_only_the_owner_can_read(self, valkey, db, settings, data_dir):
        settings.APP_ENV = "development"

        made = demo.seed()

        files = {file.name: file for file in (data_dir / local_secrets.FOLDER).glob("[!.]*")}
        assert {name: file.read_text().strip() for name, file in files.items()} == {
            "demo_api_key": made.api_key,
            "demo_operator_key": made.operator_key,
            "demo_password": made.staff_login.removeprefix("demo / "),
        }
        assert {stat.S_IMODE(file.stat().st_mode) for file in files.values()} == {0o600}

    def test_of_another_checkout_differ(self, valkey, db, settings, data_dir):
        settings.APP_ENV = "development"
        first = demo.seed()

        settings.DATA_DIR = data_dir / "another"
        second = demo.seed()

        assert first.api_key != second.api_key
        assert first.operator_key != second.operator_key
        assert first.staff_login != second.staff_login

    def test_replace_those_that_an_earlier_version_derived(self, old_demo):
        assert all(works(key) for key in DERIVED_KEYS)

        made = demo.seed()

        assert [key for key in DERIVED_KEYS if works(key)] == []
        assert authenticate(username="demo", password=DERIVED_PASSWORD) is None
        assert works(made.api_key)
        assert works(made.operator_key)
        assert authenticate(username="demo", password=made.staff_login.removeprefix("demo / "))


@pytest.mark.long
class TestRemove:
    def test_takes_away_access_and_leaves_the_business_and_its_data(self, old_demo, settings):
        settings.IS_PRODUCTION = True
        printed = StringIO()

        call_command("remove_demo", stdout=printed)

        assert printed.getvalue().splitlines() == [
            "Revoked the API key `demo`.",
            "Revoked the API key `demoop`.",
            "Locked the staff user `demo`.",
        ]
        assert [key for key in DERIVED_KEYS if works(key)] == []
        assert authenticate(username="demo", password=DERIVED_PASSWORD) is None
        assert PhoneNumber.objects.filter(user_id="usr_demo").count() == 3

    def test_may_run_again(self, old_demo):
        call_command("remove_demo", stdout=StringIO())
        printed = StringIO()

        call_command("remove_demo", stdout=printed)

        assert printed.getvalue() == "There are no demo credentials that work.\n"

    def test_names_keys_that_may_have_been_created_with_the_demos(self, old_demo):
        operator, _ = keys.create(user_id=None, name="mine")
        business, _ = keys.create(user_id="usr_demo", name="its own")
        printed = StringIO()

        call_command("remove_demo", stdout=printed)

        assert f"{operator.prefix}, {business.prefix}." in printed.getvalue()

    def test_leaves_nothing_that_the_start_of_a_service_would_refuse(self, old_demo):
        with connection.cursor() as cursor:
            before = demo_credentials.active(cursor)
            call_command("remove_demo", stdout=StringIO())

            assert before == ["API key `demo`", "API key `demoop`", "staff user `demo`"]
            assert demo_credentials.active(cursor) == []

    def test_seeding_again_in_development_brings_the_demo_back(self, old_demo):
        call_command("remove_demo", stdout=StringIO())

        made = demo.seed()

        assert works(made.api_key)
        assert authenticate(username="demo", password=made.staff_login.removeprefix("demo / "))


class TestCommand:
    def test_prints_what_was_made(self, valkey, db):
        printed = StringIO()

        call_command("seed_demo", stdout=printed)

        assert json.loads(printed.getvalue())["phone_number_id"] == demo.PHONE_NUMBER_ID

    def test_is_not_for_production(self, db, settings):
        settings.IS_PRODUCTION = True

        with pytest.raises(CommandError):
            call_command("seed_demo")

        assert not User.objects.exists()
