"""What buttons do: the same as the API, with a line in the log."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.urls import reverse
from django.utils import timezone

from agents.models import Agent, ConversationArchive, Prompt
from billing import keys, ledger
from billing.models import ApiKey, AuditEntry, CreditEntry, User
from channels_app.models import PhoneNumber
from config.admin.buttons import admin_url
from config.lib import ids
from conversations.models import Message
from tests import factories


def press(client, row, name, /, **said):
    return client.post(admin_url(row).replace("/change/", f"/{name}/"), said)


def press_on_list(client, table, name, /, **said):
    return client.post(reverse(f"admin:{table}_changelist") + f"{name}/", said)


def notices(response) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def refusals(response) -> str:
    assert response.status_code == 200
    return " ".join(error for errors in response.context["form"].errors.values() for error in errors)


def lose(house) -> None:
    """Let nobody know whether the answer arrived."""
    Message.objects.filter(pk=house.answer.pk).update(status="unknown", unknown_at=timezone.now())
    house.answer.deliveries.update(state="unknown")


class TestConversations:
    def test_are_answered_by_staff(self, house, people):
        response = press(
            people.support, house.talk, "reply", text="  We do, on Fridays.\nAnn", message_id=ids.new("msg")
        )

        said = Message.objects.filter(conversation=house.talk).latest("sequence_no")
        assert (said.author, said.actor, said.text) == ("staff", "admin:sue", "  We do, on Fridays.\nAnn")
        assert response.url == admin_url(house.talk)
        house.customer.refresh_from_db()
        assert house.customer.paused_until is not None

    def test_are_not_answered_with_nothing(self, house, people):
        assert refusals(press(people.support, house.talk, "reply", text=" ", message_id=ids.new("msg")))

    def test_are_not_answered_after_the_window(self, house, people):
        house.inbound.sent_at = factories.SENT_AT
        house.inbound.save()

        assert "24 hours" in refusals(
            press(people.support, house.talk, "reply", text="Hello?", message_id=ids.new("msg"))
        )

    def test_are_paused_and_resumed(self, house, people):
        press(people.support, house.talk, "pause", reason="on the phone")
        house.customer.refresh_from_db()
        assert house.customer.pause_reason == "on the phone"

        press(people.support, house.talk, "resume")
        house.customer.refresh_from_db()
        assert house.customer.paused_until is None

    def test_are_closed(self, house, people):
        press(people.support, house.talk, "close")

        house.talk.refresh_from_db()
        assert not house.talk.is_active

    def test_that_were_closed_take_no_answer(self, house, people):
        press(people.support, house.talk, "close")

        assert "is closed" in refusals(
            press(people.support, house.talk, "reply", text="Hello?", message_id=ids.new("msg"))
        )

    def test_have_a_failed_message_tried_again(self, house, people):
        response = press(people.support, house.question, "retry")

        house.inbound.refresh_from_db()
        assert house.inbound.status == "pending"
        assert response.url == admin_url(house.talk)

    def test_have_nothing_else_tried_again(self, house, people):
        assert "did not fail" in refusals(press(people.support, house.answer, "retry"))

    def test_have_a_reply_of_unknown_outcome_sent_again_after_a_warning(self, house, people):
        lose(house)

        page = people.support.get(
            admin_url(house.answer).replace("/change/", "/send-again/")
        ).content.decode()
        assert "get it twice" in page
        press(people.support, house.answer, "send-again")

        house.answer.refresh_from_db()
        assert house.answer.status == "pending"

    def test_have_a_reply_of_unknown_outcome_refunded_once_with_reason_and_name(self, house, people):
        lose(house)
        ledger.charge(user_id=house.talk.user_id, amount=1, reference=house.turn.pk)

        press(people.operators, house.answer, "refund", reason="outage of Graph")

        line = CreditEntry.objects.get(kind="refund")
        assert (line.reference, line.reason) == (house.turn.pk, "outage of Graph")
        assert line.actor.startswith("admin:")
        assert "nothing to refund" in refusals(
            press(people.operators, house.answer, "refund", reason="again")
        )

    def test_leave_a_line_in_the_log_for_each_button(self, house, people, accounts):
        press(people.support, house.talk, "pause", reason="on the phone")

        entry = LogEntry.objects.get()
        assert (entry.user, entry.object_id) == (accounts.support, house.talk.pk)
        assert entry.change_message == "Pause the AI: the AI is paused (on the phone)"

    def test_show_the_newest_hundred_messages_and_the_way_to_the_older(self, house, people):
        for number in range(4, 152):
            factories.MessageFactory(conversation=house.talk, sequence_no=number)

        newest = people.support.get(admin_url(house.talk))
        older = people.support.get(admin_url(house.talk) + newest.context["older"])

        assert [line["message"].sequence_no for line in newest.context["lines"]] == list(range(52, 152))
        assert [line["message"].sequence_no for line in older.context["lines"]] == list(range(1, 52))
        assert older.context["older"] == ""


class TestDashboardPrompts:
    def use_dashboard_prompt(self, house) -> Agent:
        Agent.objects.filter(pk=house.agent.pk).update(prompt_id="pmpt_123")
        return Agent.objects.get(pk=house.agent.pk)

    def test_agents_that_name_one_are_listed_by_the_filter(self, house, people):
        listed = "/admin/agents/agent/?prompt=dashboard"
        agent = house.agent
        assert admin_url(agent) not in people.support.get(listed).content.decode()

        self.use_dashboard_prompt(house)

        assert admin_url(agent) in people.support.get(listed).content.decode()

    def test_are_replaced_by_a_pasted_text(self, house, people):
        agent = self.use_dashboard_prompt(house)

        response = press(
            people.operators, agent, "import-prompt", instructions="Be kind.", model="gpt-6-luna"
        )

        agent.refresh_from_db()
        prompt = Prompt.objects.get(pk=agent.prompt_id)
        assert prompt.versions.get().instructions == "Be kind."
        assert "was created for 1 agents" in notices(response)
        entry = AuditEntry.objects.filter(object_id=agent.pk).latest("pk")
        assert (entry.action, entry.actor_id) == ("agent.updated", "otto")

    def test_the_button_is_offered_only_where_an_agent_names_one(self, house, people):
        assert "import-prompt" not in people.operators.get(admin_url(house.agent)).content.decode()

        agent = self.use_dashboard_prompt(house)

        assert "import-prompt" in people.operators.get(admin_url(agent)).content.decode()

    def test_a_text_with_an_unknown_variable_is_refused(self, house, people):
        agent = self.use_dashboard_prompt(house)

        response = press(people.operators, agent, "import-prompt", instructions="We open at {{opening}}.")

        assert "opening" in refusals(response)
        agent.refresh_from_db()
        assert agent.prompt_id == "pmpt_123"


class TestReplay:
    def test_has_a_failed_message_wait_again(self, house, people):
        response = press(people.operators, house.inbound, "replay")

        house.inbound.refresh_from_db()
        assert house.inbound.status == "pending"
        assert "1 messages are back in the inbox" in notices(response)

    def test_reads_a_dead_letter_again(self, house, people):
        assert "0 dead letters were read" in notices(press(people.operators, house.letter, "replay"))

    def test_takes_a_span_of_time(self, house, people):
        span = {"since_0": "2026-01-01", "since_1": "00:00", "until_0": "2099-01-01", "until_1": "00:00"}

        response = press_on_list(people.operators, "channels_app_inboundmessage", "replay-span", **span)

        assert "1 messages are back in the inbox" in notices(response)

    def test_takes_no_span_that_ends_before_it_begins(self, house, people):
        span = {"since_0": "2026-01-02", "since_1": "00:00", "until_0": "2026-01-01", "until_1": "00:00"}

        response = press_on_list(people.operators, "channels_app_inboundmessage", "replay-span", **span)

        assert "later than the beginning" in refusals(response)


class TestCredits:
    def form(self, client, house, name):
        url = admin_url(house.credit).replace("/change/", f"/{name}/")
        return {"reference": client.get(url).context["form"]["reference"].value()}

    def test_are_granted_once_however_often_the_form_is_sent(self, house, people):
        said = {"amount": "500", "reason": "invoice 118"} | self.form(people.operators, house, "grant")

        press(people.operators, house.credit, "grant", **said)
        again = press(people.operators, house.credit, "grant", **said)

        house.credit.refresh_from_db()
        assert house.credit.remaining_credits == 510
        assert "already entered" in notices(again)
        entry = CreditEntry.objects.get(amount=500)
        assert (entry.kind, entry.actor, entry.reason) == ("grant", "admin:otto", "invoice 118")

    def test_are_adjusted_with_a_reason(self, house, people):
        said = self.form(people.operators, house, "adjust")

        press(people.operators, house.credit, "adjust", amount="-3", reason="mistake", **said)

        house.credit.refresh_from_db()
        assert house.credit.remaining_credits == 7

    @pytest.mark.parametrize(
        "wrong",
        [{"amount": "0"}, {"amount": "-11"}, {"reason": ""}, {"reference": "demo"}, {"amount": "9999999999"}],
    )
    def test_are_not_adjusted_when_something_is_wrong(self, wrong, house, people):
        said = {"amount": "1", "reason": "why not"} | self.form(people.operators, house, "adjust") | wrong

        response = press(people.operators, house.credit, "adjust", **said)

        assert refusals(response)
        house.credit.refresh_from_db()
        assert house.credit.remaining_credits == 10

    def test_are_granted_on_the_business_too(self, house, people):
        said = {"amount": "5", "reason": "hello"} | self.form(people.operators, house, "grant")

        press(people.operators, house.business, "grant", **said)

        house.credit.refresh_from_db()
        assert house.credit.remaining_credits == 15


class TestKeys:
    def test_are_shown_once(self, house, people):
        response = press(people.operators, house.business, "create-key", name="shop")

        key = response.context["done"].secret
        assert keys.find(key, now=house.soon).user_id == house.business.pk
        assert key in response.content.decode()
        assert "no-store" in response.headers["Cache-Control"]
        row = ApiKey.objects.get(name="shop")
        for url in (
            admin_url(row),
            admin_url(row).replace("change", "history"),
            admin_url(house.business),
            "/admin/",
        ):
            assert key not in people.operators.get(url).content.decode()
        assert key not in str(LogEntry.objects.values_list())

    def test_of_operators_belong_to_nobody(self, house, people):
        response = press_on_list(people.operators, "billing_apikey", "create-operator-key", name="ops")

        assert keys.find(response.context["done"].secret, now=house.soon).user_id is None

    def test_that_never_work_are_not_made(self, house, people):
        past = {"expires_at_0": "2020-01-01", "expires_at_1": "00:00"}

        assert "time in the future" in refusals(
            press(people.operators, house.business, "create-key", name="x", **past)
        )

    def test_are_revoked(self, people, house):
        made = press(people.operators, house.business, "create-key", name="shop")

        press(people.operators, ApiKey.objects.get(name="shop"), "revoke")

        assert keys.find(made.context["done"].secret, now=house.soon) is None


class TestPrompts:
    def test_get_a_version(self, house, people):
        press(
            people.operators,
            house.prompt,
            "publish",
            instructions="Be brief.\n",
            parameters='{"temperature": 1}',
        )

        house.prompt.refresh_from_db()
        version = house.prompt.versions.get(number=2)
        assert house.prompt.current_version == 2
        assert (version.instructions, version.parameters) == ("Be brief.\n", {"temperature": 1.0})

    @pytest.mark.parametrize(
        "wrong",
        [
            {"instructions": "{{nobody}}"},
            {"parameters": '{"tools": []}'},
            {"parameters": "[]"},
            {"variables": '{"X": 1}'},
            {"model": "no model!"},
            {"instructions": " "},
        ],
    )
    def test_get_no_version_that_cannot_be(self, wrong, house, people):
        response = press(people.operators, house.prompt, "publish", **{"instructions": "Be brief."} | wrong)

        assert refusals(response)
        assert house.prompt.versions.count() == 1

    def test_go_back(self, house, people):
        press(people.operators, house.prompt, "publish", instructions="Be brief.")

        press(people.operators, house.prompt, "rollback", to="1")

        house.prompt.refresh_from_db()
        assert house.prompt.current_version == 1

    def test_are_made(self, house, people):
        press(people.operators, house.business, "create-prompt", name="New", instructions="Hello.")

        assert Prompt.objects.get(name="New").user == house.business

    def test_for_extraction_are_made_once(self, house, people):
        said = {"name": "Leads", "purpose": "extraction", "instructions": "Look for bread."}

        press(people.operators, house.business, "create-prompt", **said)
        again = press(people.operators, house.business, "create-prompt", **said)

        assert Prompt.objects.get(name="Leads").purpose == "extraction"
        assert "already has a prompt for reading leads" in refusals(again)

    def test_for_extraction_are_offered_to_no_agent(self, house, people):
        reading = factories.PromptVersionFactory(prompt__user=house.business, prompt__purpose="extraction")

        response = press(
            people.operators, house.agent, "change-agent", name="Ann", prompt_id=reading.prompt_id
        )

        assert refusals(response)


class TestAgents:
    @pytest.mark.parametrize(("said", "kept"), [("600000", 600_000), ("", None)])
    def test_have_talks_read_after_as_long_a_quiet_as_is_said(self, house, people, said, kept):
        form = {"name": "Ann", "prompt_id": house.agent.prompt_id, "extraction_interval": said}

        press(people.operators, house.agent, "change-agent", **form)

        house.agent.refresh_from_db()
        assert house.agent.extraction_interval == kept

    @pytest.mark.parametrize("said", ["999", "900001", "-1"])
    def test_have_them_read_after_no_other(self, house, people, said):
        form = {"name": "Ann", "prompt_id": house.agent.prompt_id, "extraction_interval": said}

        assert refusals(press(people.operators, house.agent, "change-agent", **form))

    def test_are_made_changed_moved_and_deleted(self, house, people):
        press(people.operators, house.business, "create-agent", name="Second", prompt_id=house.prompt.pk)
        agent = Agent.objects.get(name="Second")
        other = factories.PhoneNumberFactory(user=house.business)

        press(people.operators, agent, "change-agent", name="Third", prompt_id=house.prompt.pk)
        press(people.operators, agent, "relink", phone_number_id=other.pk)
        agent.refresh_from_db()
        assert (agent.name, agent.phone_number_id, agent.prompt_version) == ("Third", other.pk, None)
        assert ConversationArchive.objects.filter(new_agent=agent).exists()

        press(people.operators, agent, "delete-agent")
        agent.refresh_from_db()
        assert agent.deleted_at is not None

    def test_do_not_take_anothers_place_unless_told_to(self, house, people):
        press(people.operators, house.business, "create-agent", name="Second", prompt_id=house.prompt.pk)
        agent = Agent.objects.get(name="Second")

        refused = press(people.operators, agent, "relink", phone_number_id=house.number.pk)
        assert "Another agent" in refusals(refused)

        press(people.operators, agent, "relink", phone_number_id=house.number.pk, replace="on")
        agent.refresh_from_db()
        assert agent.phone_number_id == house.number.pk

    def test_are_not_given_anothers_prompt_or_number(self, house, people):
        foreign = factories.AgentFactory()

        for said in ({"prompt_id": foreign.prompt_id}, {"phone_number_id": foreign.phone_number_id}):
            response = press(
                people.operators, house.business, "create-agent",
                **{"name": "Second", "prompt_id": house.prompt.pk} | said,
            )  # fmt: skip
            assert refusals(response)


class TestNumbers:
    def test_are_registered_with_a_token_nobody_sees_again(self, house, people):
        response = press(
            people.operators, house.business, "register-number",
            type="whatsapp", phone_number_id="555000111", external_number="+1", access_token="EAA-token-9",
        )  # fmt: skip

        number = PhoneNumber.objects.get(pk="555000111")
        assert number.get_access_token() == "EAA-token-9"
        assert "EAA-token-9" not in people.operators.get(response.url).content.decode()
        assert (
            "EAA-token-9"
            not in people.operators.get(admin_url(number).replace("change", "change-number")).content.decode()
        )

    def test_do_not_give_the_token_back_with_an_error(self, house, people):
        response = press(
            people.operators, house.business, "register-number",
            type="whatsapp", phone_number_id="abc", external_number="+1", access_token="EAA-token-9",
        )  # fmt: skip

        assert "digits" in refusals(response)
        assert "EAA-token-9" not in response.content.decode()

    def test_keep_their_token_unless_there_is_a_new_one(self, people):
        number = factories.PhoneNumberFactory(token="old")

        press(people.operators, number, "change-number", display_name="Shop", external_number="+1")
        number.refresh_from_db()
        assert (number.display_name, number.get_access_token()) == ("Shop", "old")

        press(people.operators, number, "change-number", external_number="+1", access_token="new")
        number.refresh_from_db()
        assert number.get_access_token() == "new"
        assert "new" not in LogEntry.objects.latest("pk").change_message.replace("a new access token", "")

    def test_send_their_token_to_nobody_but_meta(self, people):
        number = factories.PhoneNumberFactory()

        response = press(
            people.operators,
            number,
            "change-number",
            external_number="+1",
            api_base_url="https://evil.example",
        )

        assert "Meta" in refusals(response)

    def test_are_deleted(self, house, people):
        press(people.operators, house.number, "delete-number")

        house.number.refresh_from_db()
        assert house.number.deleted_at is not None


class TestBusinesses:
    def test_are_made_with_a_key_and_changed(self, people):
        made = press_on_list(
            people.operators,
            "billing_user",
            "open-account",
            email="New@Example.com",
            timezone="Europe/Berlin",
        )
        user = User.objects.get(email="new@example.com")
        assert made.context["done"].secret.startswith("mcak_")

        press(
            people.operators, user, "change-business",
            email="n@example.com", company_name="N", timezone="UTC", notify_email="sales@example.com",
        )  # fmt: skip
        user.refresh_from_db()
        assert (user.email, user.company_name, user.notify_email) == (
            *("n@example.com", "N", "sales@example.com"),
        )

    def test_have_an_address_of_their_own_and_a_real_time_zone(self, house, people):
        for said in ({"email": house.business.email}, {"timezone": "Mars/Olympus"}):
            response = press_on_list(
                people.operators, "billing_user", "open-account",
                **{"email": "x@example.com", "timezone": "UTC"} | said,
            )  # fmt: skip
            assert refusals(response)


class TestWebhookEndpoints:
    def test_are_switched_off_and_on(self, house, people):
        press(people.operators, house.endpoint, "disable-endpoint")
        house.endpoint.refresh_from_db()
        assert house.endpoint.disabled_reason == "switched off by hand"

        press(people.operators, house.endpoint, "enable-endpoint")
        house.endpoint.refresh_from_db()
        assert (house.endpoint.disabled_at, house.endpoint.disabled_reason) == (None, "")

    def test_are_sent_a_test(self, house, people):
        response = press(people.support, house.endpoint, "test-endpoint")

        sent = house.endpoint.deliveries.get(event__type="endpoint.test")
        assert sent.pk in notices(response)

    def test_that_are_switched_off_are_sent_nothing(self, house, people):
        press(people.operators, house.endpoint, "disable-endpoint")

        for name, said in {"test-endpoint": {}, "redeliver-failed": {"day": "2026-01-01"}}.items():
            assert "switched off" in refusals(press(people.support, house.endpoint, name, **said))

    def test_are_sent_what_failed_on_a_day_once_more(self, house, people):
        house.endpoint.deliveries.update(state="failed")
        day = house.told.created_at.date()

        response = press(people.support, house.endpoint, "redeliver-failed", day=day.isoformat())

        house.sent.refresh_from_db()
        assert house.sent.state == "pending"
        assert f"1 events of {day}" in notices(response)

    def test_are_sent_one_event_once_more(self, house, people):
        house.endpoint.deliveries.update(state="delivered")

        press(people.support, house.sent, "redeliver")

        house.sent.refresh_from_db()
        assert house.sent.state == "pending"

    def test_have_a_log_that_can_be_read(self, house, people):
        house.sent.log = [
            {"at": "2026-11-24T12:00:00Z", "status": 500, "milliseconds": 312, "error": ""},
            {"at": "2026-11-24T12:00:05Z", "status": None, "milliseconds": 9, "error": "no connection"},
        ]
        house.sent.save()

        content = people.support.get(admin_url(house.sent)).content.decode()

        assert "2026-11-24T12:00:00Z: 500 after 312 ms" in content
        assert "no answer after 9 ms (no connection)" in content
