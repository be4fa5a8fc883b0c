"""Puts an agent on a phone number."""

import pytest
from django.core.management import CommandError, call_command

from agents import demo, removal, routing
from agents.models import Agent
from agents.registration import register
from channels_app.models import PhoneNumber
from channels_app.numbers import NumberExistsError
from tests.factories import PromptVersionFactory

NUMBER = "209876543210987"


def registered(prompt, **changes) -> PhoneNumber:
    usual = {
        "user_id": prompt.user_id, "phone_number_id": NUMBER, "external_number": "+12025550100",
        "access_token": "token", "prompt_id": prompt.prompt_id, "name": "Shop", "fallback_message": "Later.",
    }  # fmt: skip
    return register(**{**usual, **changes})


@pytest.fixture
def prompt(db):
    return PromptVersionFactory().prompt


class TestRegister:
    def test_makes_a_number_and_an_agent_that_answers_on_it(self, valkey, prompt):
        number = registered(prompt)

        agent = Agent.objects.get()
        assert (number.type, number.external_number, number.get_access_token()) == (
            "whatsapp", "+12025550100", "token",
        )  # fmt: skip
        assert (agent.phone_number, agent.prompt_id, agent.fallback_message) == (
            number, prompt.prompt_id, "Later.",
        )  # fmt: skip

    def test_again_changes_the_token_and_nothing_else(self, valkey, prompt):
        registered(prompt)

        registered(prompt, access_token="new-token", external_number="+1", fallback_message="Other")

        number = PhoneNumber.objects.get()
        assert (number.get_access_token(), number.external_number) == ("new-token", "+12025550100")
        assert Agent.objects.get().fallback_message == "Later."

    def test_does_not_take_the_number_of_another(self, valkey, prompt):
        registered(prompt)
        other = PromptVersionFactory().prompt

        with pytest.raises(NumberExistsError):
            registered(other, access_token="theirs")

        assert PhoneNumber.objects.get().get_access_token() == "token"

    def test_brings_back_a_deleted_number_with_a_new_agent(self, valkey, prompt):
        registered(prompt)
        removal.remove(phone_number_id=NUMBER)

        registered(prompt, access_token="new-token")

        assert PhoneNumber.objects.live().get().get_access_token() == "new-token"
        assert list(Agent.objects.order_by("pk").values_list("phone_number_id", flat=True)) == [None, NUMBER]

    def test_is_known_at_once(self, valkey, prompt, django_capture_on_commit_callbacks):
        before = routing.get(NUMBER)

        with django_capture_on_commit_callbacks(execute=True):
            registered(prompt)

        assert before is None
        assert routing.get(NUMBER) is not None


class TestCommand:
    def test_puts_the_demo_agent_on_a_number(self, valkey, db, monkeypatch):
        monkeypatch.setenv("ACCESS_TOKEN", " token\n")
        demo.seed()

        call_command("add_number", NUMBER, "+12025550101")

        number = PhoneNumber.objects.get(pk=NUMBER)
        assert number.get_access_token() == "token"
        assert Agent.objects.get(phone_number=number).prompt_id == demo.PROMPT_ID

    def test_wants_the_demo_business_first(self, db, monkeypatch):
        monkeypatch.setenv("ACCESS_TOKEN", "token")

        with pytest.raises(CommandError, match="seed_demo"):
            call_command("add_number", NUMBER, "+12025550101")
