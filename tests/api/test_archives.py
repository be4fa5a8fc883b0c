import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents import lifecycle, relinking
from agents.models import ConversationArchive
from tests.factories import AgentFactory, PhoneNumberFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def url(user):
    return f"/users/{user.user_id}/archives"


@pytest.fixture
def agent(user):
    return AgentFactory(phone_number__user=user)


def moved(user) -> ConversationArchive:
    """Have an agent leave its number."""
    agent = AgentFactory(phone_number__user=user)
    return relinking.unlink(agent_id=agent.agent_id)


class TestListing:
    def test_tells_who_answered_before_and_who_since(self, business, url, agent, user):
        other = AgentFactory(phone_number__user=user)
        number = other.phone_number_id

        relinking.relink(agent_id=agent.agent_id, phone_number_id=number, replace=True)

        data = {one["phone_number_id"]: one for one in business.get(url).json()["data"]}
        assert data[number] == {
            "archive_id": data[number]["archive_id"], "phone_number_id": number,
            "old_agent_id": other.agent_id, "new_agent_id": agent.agent_id,
            "archived_at": data[number]["archived_at"], "closed_at": None,
        }  # fmt: skip
        assert data[agent.phone_number_id]["new_agent_id"] is None

    def test_keeps_what_was_of_agents_and_numbers_that_are_gone(self, business, url, agent):
        lifecycle.delete(agent_id=agent.agent_id)

        assert [one["old_agent_id"] for one in business.get(url).json()["data"]] == [agent.agent_id]

    def test_narrows_it_to_an_agent_or_a_number(self, business, url, agent, user):
        moved(user)
        others = moved(PhoneNumberFactory().user)
        number = PhoneNumberFactory(user=user).phone_number_id
        relinking.relink(agent_id=agent.agent_id, phone_number_id=number)

        found = {
            query: {one["phone_number_id"] for one in business.get(f"{url}?{query}").json()["data"]}
            for query in (
                f"agent_id={agent.agent_id}",
                f"phone_number_id={number}",
                f"agent_id={others.old_agent_id}",
                f"phone_number_id={others.phone_number_id}",
            )
        }

        assert list(found.values()) == [{agent.phone_number_id, number}, {number}, set(), set()]

    def test_goes_page_by_page_while_agents_move(self, business, url, user):
        made = {moved(user).archive_id for _ in range(5)}
        seen, following = [], f"{url}?limit=2"
        while following:
            answer = business.get(following).json()
            seen += [one["archive_id"] for one in answer["data"]]
            # Within a test's transaction the clock stands still; the ids go on, and so does the order.
            following = answer["next_cursor"] and f"{url}?limit=2&cursor={answer['next_cursor']}"
            moved(user)

        assert (set(seen) & made, len(seen)) == (made, 5)

    def test_asks_no_more_for_many_than_for_one(self, business, url, user):
        moved(user)
        business.get(url)
        with CaptureQueriesContext(connection) as one:
            business.get(url)
        for _ in range(10):
            moved(user)

        with CaptureQueriesContext(connection) as many:
            assert len(business.get(url).json()["data"]) == 11

        assert len(many) == len(one)

    @pytest.mark.parametrize("query", ["old_agent_id=x", "agent_id=", "cursor=x", "limit=0"])
    def test_refuses_what_it_does_not_understand(self, business, url, query):
        assert business.get(f"{url}?{query}").status_code == 400
