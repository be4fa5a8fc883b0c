"""The demo business is the same however often it is made."""

import json
from io import StringIO

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User as Staff
from django.core.management import CommandError, call_command
from django.utils import timezone

from agents import demo, directory
from agents.models import Agent, Prompt, PromptVersion
from billing import keys, ledger
from billing.models import ApiKey, Credit, CreditEntry, User
from channels_app.models import PhoneNumber
from channels_app.webchat import chats

# One of each, but for a number on WhatsApp, an account on Instagram and a web chat.
MADE = {
    User: 1, Credit: 1, CreditEntry: 1, PhoneNumber: 3, Prompt: 1, PromptVersion: 1, Agent: 3, ApiKey: 2,
}  # fmt: skip


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
        assert directory.get(chats.DEMO_NUMBER) is not None

    def test_makes_an_agent_that_can_answer(self, valkey, db):
        made = demo.seed()

        entry = directory.get(made.phone_number_id)

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
