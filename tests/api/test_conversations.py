from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from config.lib.api import pagination
from conversations.models import Conversation
from tests.api import caller
from tests.factories import AgentFactory, ConversationFactory, CustomerFactory, PhoneNumberFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent(user):
    return AgentFactory(phone_number=PhoneNumberFactory(user=user))


@pytest.fixture
def conversation(agent):
    customer = CustomerFactory(phone_number=agent.phone_number, name="Ada")
    return ConversationFactory(agent=agent, customer=customer)


def more(agent, count=1, **changes):
    return [
        ConversationFactory(agent=agent, customer=CustomerFactory(phone_number=agent.phone_number), **changes)
        for _ in range(count)
    ]


def listed(business, user, query="") -> list[str]:
    answer = business.get(f"/users/{user.user_id}/conversations?{query}")
    assert answer.status_code == 200, answer.json()
    return [row["conversation_id"] for row in answer.json()["data"]]


def url(user, conversation, what="") -> str:
    return f"/users/{user.user_id}/conversations/{conversation.pk}{what}"


class TestListing:
    def test_shows_who_talks_with_whom(self, business, user, conversation):
        answer = business.get(f"/users/{user.user_id}/conversations")

        [shown] = answer.json()["data"]
        assert shown["customer"] == {
            "customer_id": conversation.customer_id, "external_id": None, "name": "Ada", "username": "",
            "channel": "whatsapp", "address": conversation.customer.wa_id,
        }  # fmt: skip
        assert (shown["channel"], shown["agent_id"]) == ("whatsapp", conversation.agent_id)
        assert shown["phone_number_id"] == conversation.customer.phone_number_id
        assert (shown["paused_until"], shown["pause_reason"], shown["handover_at"]) == (None, "", None)

    def test_leaves_out_those_of_others(self, business, user, conversation):
        ConversationFactory()

        assert listed(business, user) == [conversation.pk]

    def test_is_narrowed_by_each_filter(self, business, user, agent, conversation):
        now = timezone.now()
        [other] = more(AgentFactory(phone_number=PhoneNumberFactory(user=user)), is_active=False)
        Conversation.objects.filter(pk=other.pk).update(
            handover_at=now, last_message_at=now - timedelta(days=2)
        )
        customer = other.customer
        customer.paused_until = now + timedelta(hours=1)
        customer.save()
        yesterday = (now - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")

        for query, found in {
            f"agent_id={other.agent_id}": other,
            f"phone_number_id={customer.phone_number_id}": other,
            f"customer_phone={other.customer_phone}": other,
            "is_active=false": other,
            "is_active=true": conversation,
            "paused=true": other,
            "paused=false": conversation,
            "handover=true": other,
            "handover=false": conversation,
            f"since={yesterday}": conversation,
            f"until={yesterday}": other,
            f"is_active=false&paused=true&handover=true&until={yesterday}": other,
        }.items():
            assert listed(business, user, query) == [found.pk], query

    def test_finds_nothing_by_ids_of_others(self, business, user, conversation):
        other = ConversationFactory()

        for query in (f"agent_id={other.agent_id}", f"phone_number_id={other.customer.phone_number_id}",
                      f"customer_phone={other.customer_phone}"):  # fmt: skip
            assert listed(business, user, query) == []

    def test_does_not_call_a_pause_that_is_over_a_pause(self, business, user, conversation):
        conversation.customer.paused_until = timezone.now() - timedelta(seconds=1)
        conversation.customer.pause_reason = "lunch"
        conversation.customer.save()

        shown = business.get(url(user, conversation)).json()

        assert (shown["paused_until"], shown["pause_reason"]) == (None, "")
        assert listed(business, user, "paused=true") == []

    def test_goes_page_by_page_while_conversations_are_added(self, business, user, agent):
        made = {row.pk for row in more(agent, 5)}
        seen, address = [], f"/users/{user.user_id}/conversations?limit=2"
        while address:
            answer = business.get(address).json()
            seen += [row["conversation_id"] for row in answer["data"]]
            more(agent)
            following = answer["next_cursor"]
            address = following and f"/users/{user.user_id}/conversations?limit=2&cursor={following}"

        assert len(seen) == len(set(seen)) == 5
        assert seen == sorted(made, reverse=True)

    def test_looks_at_no_more_than_some_rows_for_a_page(self, business, user, agent, monkeypatch):
        monkeypatch.setattr(pagination, "MOST_WALKED", 3)
        [first] = more(agent, is_active=False)
        more(agent, 7)
        more(agent, 2, is_active=False)
        pages, address = [], f"/users/{user.user_id}/conversations?is_active=false"
        following = ""
        while following is not None:
            answer = business.get(address + (f"&cursor={following}" if following else "")).json()
            pages.append([row["conversation_id"] for row in answer["data"]])
            following = answer["next_cursor"]

        assert [len(page) for page in pages] == [2, 0, 0, 1]
        assert pages[-1] == [first.pk]

    def test_asks_as_often_for_many_as_for_one(self, business, user, agent, conversation):
        listed(business, user)
        with CaptureQueriesContext(
            connection,
        ) as one:
            listed(business, user, "is_active=true")
        more(agent, 10)

        with CaptureQueriesContext(connection) as many:
            assert len(listed(business, user, "is_active=true")) == 11

        assert len(many) == len(one)

    @pytest.mark.parametrize(
        "query", ["is_active=1", "since=yesterday", "since=2026-01-01T00:00:00", "customer=x", "agent_id="]
    )
    def test_refuses_what_it_does_not_understand(self, business, user, query):
        assert business.get(f"/users/{user.user_id}/conversations?{query}").status_code == 400


class TestOne:
    def test_is_shown_with_its_version(self, business, user, conversation):
        answer = business.get(url(user, conversation))

        assert answer.status_code == 200
        assert answer["ETag"]
        assert answer.json()["conversation_id"] == conversation.pk

    @pytest.mark.parametrize(
        ("method", "what"),
        [("get", ""), ("post", "/pause"), ("post", "/resume"), ("post", "/close"), ("post", "/messages")],
    )
    def test_of_others_does_not_exist(self, business, user, method, what):
        other = ConversationFactory()

        for address in (url(user, other, what), url(other.user, other, what)):
            answer = getattr(business, method)(address)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")

        other.refresh_from_db()
        assert other.is_active

    def test_can_be_seen_by_operators(self, operator, user, conversation):
        assert operator.get(url(user, conversation)).status_code == 200


class TestPausing:
    def test_silences_the_ai_until_then(self, business, user, conversation):
        until = (timezone.now() + timedelta(hours=3)).replace(microsecond=0)
        body = {"until": until.isoformat(), "reason": "Ben takes care of it"}

        answers = [business.post(url(user, conversation, "/pause"), body) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [200, 200]
        shown = answers[-1].json()
        assert shown["paused_until"] == until.isoformat().replace("+00:00", "Z")
        assert shown["pause_reason"] == "Ben takes care of it"

    def test_takes_the_usual_time_unless_told(self, business, user, conversation):
        shown = business.post(url(user, conversation, "/pause")).json()

        assert shown["paused_until"]
        assert shown["pause_reason"] == "paused"

    def test_takes_the_flag_away(self, business, user, conversation):
        Conversation.objects.update(handover_at=timezone.now())

        shown = business.post(url(user, conversation, "/pause")).json()

        assert shown["handover_at"] is None

    def test_until_the_past_is_refused(self, business, user, conversation):
        answer = business.post(url(user, conversation, "/pause"), {"until": "2020-01-01T00:00:00Z"})

        assert (answer.status_code, answer.json()["code"]) == (422, "until_in_the_past")
        assert answer.json()["errors"][0]["field"] == "until"

    @pytest.mark.parametrize("body", [{"until": 7}, {"until": "soon"}, {"reason": "x" * 51}, {"reason": None},
                                      {"for": "ever"}, []])  # fmt: skip
    def test_refuses_what_does_not_fit(self, business, user, conversation, body):
        assert business.post(url(user, conversation, "/pause"), body).status_code == 400

    def test_ends_when_resumed_however_often(self, business, user, conversation):
        business.post(url(user, conversation, "/pause"))

        answers = [business.post(url(user, conversation, "/resume")) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[-1].json()["paused_until"] is None

    def test_resumes_with_nothing_in_the_body(self, business, user, conversation):
        answer = business.post(url(user, conversation, "/resume"), {"until": "2100-01-01T00:00:00Z"})

        assert answer.json()["errors"][0]["code"] == "unknown_field"


class TestClosing:
    def test_ends_it_once(self, business, user, conversation):
        answers = [business.post(url(user, conversation, "/close")) for _ in range(2)]

        assert [(answer.status_code, answer.json()["is_active"]) for answer in answers] == [(200, False)] * 2

    def test_needs_a_key(self, user, conversation):
        assert caller.Caller().post(url(user, conversation, "/close")).status_code == 401
