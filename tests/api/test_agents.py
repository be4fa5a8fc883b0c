import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents.models import Agent, ConversationArchive
from tests.factories import AgentFactory, PhoneNumberFactory, PromptVersionFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def url(user):
    return f"/users/{user.user_id}/agents"


@pytest.fixture
def prompt(user):
    return PromptVersionFactory(prompt__user=user).prompt_id


@pytest.fixture
def number(user):
    return PhoneNumberFactory(user=user).phone_number_id


@pytest.fixture
def agent(user):
    return AgentFactory(phone_number__user=user)


class TestCreating:
    def test_puts_an_agent_on_a_number(self, business, url, prompt, number):
        answer = business.post(url, {"phone_number_id": number, "prompt_id": prompt, "name": "Ada"})

        made = answer.json()
        assert answer.status_code == 201
        assert answer["Location"] == f"{url}/{made['agent_id']}"
        assert business.get(answer["Location"]).json() == made
        assert made == {
            "agent_id": made["agent_id"], "phone_number_id": number, "prompt_id": prompt,
            "prompt_version": None, "name": "Ada", "fallback_message": "", "unavailable_message": "",
            "handover_enabled": False, "handover_message": "", "extraction_interval": None,
            "disclosure": "You are chatting with an AI assistant.",
            "created_at": made["created_at"],
        }  # fmt: skip

    def test_takes_an_agent_without_a_number_and_a_prompt_of_the_dashboard(self, business, url):
        answer = business.post(url, {"prompt_id": "pmpt_abc", "name": "Ada"})

        assert (answer.status_code, answer.json()["phone_number_id"]) == (201, None)

    def test_takes_how_long_talks_are_left_quiet(self, business, url, prompt):
        made = business.post(url, {"prompt_id": prompt, "name": "Ada", "extraction_interval": 600_000})

        assert made.json()["extraction_interval"] == 600_000
        changed = business.patch(made["Location"], {"extraction_interval": 1_000}).json()
        assert changed["extraction_interval"] == 1_000
        again = business.patch(made["Location"], {"extraction_interval": None}).json()
        assert again["extraction_interval"] is None

    @pytest.mark.parametrize("interval", [299_999, 1_000])
    def test_leaves_talks_quiet_for_five_minutes_at_least_in_production(
        self, business, url, prompt, settings, interval
    ):
        settings.IS_PRODUCTION = True

        answer = business.post(url, {"prompt_id": prompt, "name": "Ada", "extraction_interval": interval})

        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (422, "interval_out_of_range")
        assert problem["errors"][0]["field"] == "extraction_interval"
        assert not Agent.objects.filter(name="Ada").exists()

    @pytest.mark.parametrize("interval", [0, 999, 900_001, -1, "300000", 1.5, True])
    def test_takes_no_other_interval(self, business, url, prompt, interval):
        body = {"prompt_id": prompt, "name": "Ada", "extraction_interval": interval}

        assert business.post(url, body).status_code == 400

    def test_does_not_speak_with_a_prompt_for_extraction(self, business, url, user, agent):
        reading = PromptVersionFactory(prompt__user=user, prompt__purpose="extraction").prompt_id

        made = business.post(url, {"prompt_id": reading, "name": "Ada"})
        changed = business.patch(f"{url}/{agent.pk}", {"prompt_id": reading})

        for answer in (made, changed):
            assert (answer.status_code, answer.json()["code"]) == (422, "prompt_not_found")

    def test_is_done_once_per_idempotency_key(self, business, url, prompt):
        answers = [
            business.post(url, {"prompt_id": prompt, "name": "Ada"}, Idempotency_Key="k1") for _ in range(2)
        ]

        assert answers[0].json() == answers[1].json()
        assert answers[0]["Location"] == answers[1]["Location"]
        assert Agent.objects.count() == 1

    @pytest.mark.parametrize("key", [{}, {"Idempotency_Key": "k1"}])
    def test_names_the_agent_that_is_in_the_way(self, business, url, agent, prompt, key):
        body = {"phone_number_id": agent.phone_number_id, "prompt_id": prompt, "name": "Ada"}

        answer = business.post(url, body, **key)

        assert (answer.status_code, answer.json()["code"]) == (409, "phone_number_taken")
        assert answer.json()["agent_id"] == agent.agent_id

    def test_knows_neither_numbers_nor_prompts_of_others(self, business, url, prompt):
        others = AgentFactory()

        answers = [
            business.post(
                url, {"phone_number_id": others.phone_number_id, "prompt_id": prompt, "name": "Ada"}
            ),
            business.post(url, {"prompt_id": others.prompt_id, "name": "Ada"}),
            business.post(url, {"prompt_id": prompt, "prompt_version": 7, "name": "Ada"}),
        ]

        assert [
            (answer.status_code, answer.json()["code"], answer.json()["errors"][0]["field"])
            for answer in answers
        ] == [
            (422, "phone_number_not_found", "phone_number_id"),
            (422, "prompt_not_found", "prompt_id"),
            (422, "prompt_not_found", "prompt_id"),
        ]

    @pytest.mark.parametrize(
        ("changes", "field", "code"),
        [
            ({"name": None}, "name", "null"),
            ({"name": ""}, "name", "blank"),
            ({"prompt_id": 7}, "prompt_id", "invalid"),
            ({"prompt_id": "a b"}, "prompt_id", "invalid"),
            ({"prompt_version": "1"}, "prompt_version", "invalid"),
            ({"prompt_version": 0}, "prompt_version", "min_value"),
            ({"prompt_version": 2**31}, "prompt_version", "max_value"),
            ({"handover_enabled": "yes"}, "handover_enabled", "invalid"),
            ({"fallback_message": "x" * 4097}, "fallback_message", "max_length"),
            ({"user_id": "usr_other"}, "user_id", "unknown_field"),
            ({"replace": True}, "replace", "unknown_field"),
        ],
    )
    def test_names_the_field_that_does_not_fit(self, business, url, changes, field, code):
        answer = business.post(url, {"prompt_id": "pmpt_abc", "name": "Ada", **changes})

        assert answer.status_code == 400
        assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [(field, code)]


class TestChanging:
    def test_changes_only_what_is_sent(self, business, url, agent):
        answer = business.patch(f"{url}/{agent.agent_id}", {"name": "Grace", "handover_enabled": True})

        changed = answer.json()
        assert (changed["name"], changed["handover_enabled"]) == ("Grace", True)
        assert (changed["fallback_message"], changed["phone_number_id"]) == (
            agent.fallback_message,
            agent.phone_number_id,
        )
        assert not ConversationArchive.objects.exists()

    def test_pins_a_version_and_lets_it_go(self, business, url, agent):
        pinned = business.patch(f"{url}/{agent.agent_id}", {"prompt_version": 1}).json()
        free = business.patch(f"{url}/{agent.agent_id}", {"prompt_version": None}).json()

        assert (pinned["prompt_version"], free["prompt_version"]) == (1, None)

    def test_is_refused_when_somebody_else_was_quicker(self, business, url, agent):
        seen = business.get(f"{url}/{agent.agent_id}")["ETag"]
        business.patch(f"{url}/{agent.agent_id}", {"name": "Other"})

        answer = business.patch(f"{url}/{agent.agent_id}", {"phone_number_id": None}, If_Match=seen)

        agent.refresh_from_db()
        assert answer.status_code == 412
        assert agent.phone_number_id

    def test_goes_on_from_what_was_read(self, business, url, agent):
        seen = business.get(f"{url}/{agent.agent_id}")["ETag"]

        answer = business.patch(f"{url}/{agent.agent_id}", {"name": "Grace"}, If_Match=seen)

        assert answer.status_code == 200
        assert answer["ETag"] != seen


class TestRelinking:
    def test_moves_the_agent_and_notes_it(self, business, url, agent, number):
        left = agent.phone_number_id

        answer = business.patch(f"{url}/{agent.agent_id}", {"phone_number_id": number, "name": "Grace"})

        assert (answer.json()["phone_number_id"], answer.json()["name"]) == (number, "Grace")
        assert set(
            ConversationArchive.objects.values_list("phone_number_id", "old_agent_id", "new_agent_id")
        ) == {
            (left, agent.agent_id, None),
            (number, None, agent.agent_id),
        }

    def test_takes_a_number_from_another_agent_only_when_told_to(self, business, url, agent, user):
        other = AgentFactory(phone_number__user=user)
        body = {"phone_number_id": other.phone_number_id, "name": "Grace"}

        refused = business.patch(f"{url}/{agent.agent_id}", body)
        unchanged = business.get(f"{url}/{agent.agent_id}").json()
        moved = business.patch(f"{url}/{agent.agent_id}", {**body, "replace": True})

        assert (refused.status_code, refused.json()["code"]) == (409, "phone_number_taken")
        assert refused.json()["agent_id"] == other.agent_id
        assert unchanged["name"] == agent.name
        assert (moved.status_code, moved.json()["phone_number_id"]) == (200, other.phone_number_id)
        assert business.get(f"{url}/{other.agent_id}").json()["phone_number_id"] is None

    def test_takes_the_agent_off_its_number(self, business, url, agent):
        answers = [business.patch(f"{url}/{agent.agent_id}", {"phone_number_id": None}) for _ in range(2)]

        assert [answer.json()["phone_number_id"] for answer in answers] == [None, None]
        assert ConversationArchive.objects.get().old_agent_id == agent.agent_id

    def test_does_nothing_where_it_answers_already(self, business, url, agent):
        answer = business.patch(f"{url}/{agent.agent_id}", {"phone_number_id": agent.phone_number_id})

        assert answer.status_code == 200
        assert not ConversationArchive.objects.exists()

    def test_moves_nothing_where_the_rest_is_refused(self, business, url, agent, number):
        left = agent.phone_number_id

        answer = business.patch(
            f"{url}/{agent.agent_id}", {"phone_number_id": number, "prompt_id": "prm_none"}
        )

        agent.refresh_from_db()
        assert (answer.status_code, answer.json()["code"]) == (422, "prompt_not_found")
        assert agent.phone_number_id == left

    def test_knows_no_numbers_of_others(self, business, url, agent):
        answer = business.patch(
            f"{url}/{agent.agent_id}",
            {"phone_number_id": PhoneNumberFactory().phone_number_id, "replace": True},
        )

        assert (answer.status_code, answer.json()["code"]) == (422, "phone_number_not_found")


class TestDeleting:
    def test_hides_the_agent_and_frees_its_number(self, business, url, agent):
        answer = business.delete(f"{url}/{agent.agent_id}")

        body = {"phone_number_id": agent.phone_number_id, "prompt_id": agent.prompt_id, "name": "Next"}
        assert answer.status_code == 204
        assert business.get(url).json()["data"] == []
        assert [
            business.delete(f"{url}/{agent.agent_id}").status_code,
            business.get(f"{url}/{agent.agent_id}").status_code,
            business.patch(f"{url}/{agent.agent_id}", {"name": "x"}).status_code,
            business.post(url, body).status_code,
        ] == [404, 404, 404, 201]

    def test_leaves_others_agents_alone(self, business, url):
        others = AgentFactory()

        answers = [
            business.get(f"{url}/{others.agent_id}"),
            business.patch(f"{url}/{others.agent_id}", {"name": "Mine"}),
            business.delete(f"{url}/{others.agent_id}"),
        ]

        others.refresh_from_db()
        assert [answer.status_code for answer in answers] == [404, 404, 404]
        assert (others.name, others.deleted_at) == ("Test", None)


class TestListing:
    def test_narrows_it_to_a_number_or_a_prompt(self, business, url, agent, user):
        AgentFactory(phone_number__user=user)
        others = AgentFactory()

        found = {
            query: [one["agent_id"] for one in business.get(f"{url}?{query}").json()["data"]]
            for query in (
                f"phone_number_id={agent.phone_number_id}",
                f"prompt_id={agent.prompt_id}",
                f"phone_number_id={others.phone_number_id}",
                f"prompt_id={others.prompt_id}",
            )
        }

        assert list(found.values()) == [[agent.agent_id], [agent.agent_id], [], []]

    def test_goes_page_by_page_while_agents_are_added(self, business, url, user):
        made = {AgentFactory(phone_number__user=user).agent_id for _ in range(5)}
        seen, following = [], f"{url}?limit=2"
        while following:
            answer = business.get(following).json()
            seen += [one["agent_id"] for one in answer["data"]]
            AgentFactory(phone_number__user=user)
            following = answer["next_cursor"] and f"{url}?limit=2&cursor={answer['next_cursor']}"

        assert seen == sorted(made, reverse=True)

    def test_asks_no_more_for_many_than_for_one(self, business, url, agent, user):
        business.get(url)
        with CaptureQueriesContext(connection) as one:
            business.get(url)
        for _ in range(10):
            AgentFactory(phone_number__user=user)

        with CaptureQueriesContext(connection) as many:
            assert len(business.get(url).json()["data"]) == 11

        assert len(many) == len(one)
