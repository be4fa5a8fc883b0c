from datetime import timedelta
from itertools import chain

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing import ledger
from billing.models import Credit
from channels_app.models import PhoneNumber
from config.lib.api import pagination
from conversations import listing
from conversations.models import Delivery, Message
from tests.api import caller
from tests.factories import (
    SENT_AT,
    AgentFactory,
    ConversationFactory,
    CustomerFactory,
    DeliveryFactory,
    InboundMessageFactory,
    MessageFactory,
    PhoneNumberFactory,
    TurnFactory,
)
from tests.load import filling, pages

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent(user):
    return AgentFactory(phone_number=PhoneNumberFactory(user=user))


@pytest.fixture
def conversation(agent):
    """A talk whose customer wrote just now."""
    customer = CustomerFactory(phone_number=agent.phone_number)
    InboundMessageFactory(customer=customer, status="done", sent_at=timezone.now())
    return ConversationFactory(agent=agent, customer=customer)


def said(conversation, count=1, **changes) -> list:
    first = Message.objects.count()
    return [
        MessageFactory(
            conversation=conversation,
            sequence_no=first + n + 1,
            **{"timestamp": SENT_AT + timedelta(minutes=first + n), **changes},
        )
        for n in range(count)
    ]


def rows(ask, user, query="") -> list[dict]:
    answer = ask.get(f"/users/{user.user_id}/messages?{query}")
    assert answer.status_code == 200, answer.json()
    return answer.json()["data"]


def listed(ask, user, query="") -> list[str]:
    return [row["message_id"] for row in rows(ask, user, query)]


def all_pages(ask, user, query, meanwhile=lambda: None):
    found: list[list[str]] = []
    following = ""
    while following is not None:
        more = f"&cursor={following}" if following else ""
        answer = ask.get(f"/users/{user.user_id}/messages?{query}{more}").json()
        found.append([row["message_id"] for row in answer["data"]])
        following = answer["next_cursor"]
        meanwhile()
    return found


class TestListing:
    def test_shows_what_was_said(self, business, user, conversation):
        [message] = said(conversation, tokens_used=7)

        [shown] = rows(business, user)

        assert shown["message_id"] == message.pk
        assert shown["conversation_id"] == conversation.pk
        assert shown["phone_number_id"] == conversation.customer.phone_number_id
        assert shown["customer_phone"] == conversation.customer_phone
        assert (shown["sender"], shown["author"], shown["text"]) == ("agent", "ai", message.text)
        assert (shown["tokens_used"], shown["media"], shown["turn_id"]) == (7, [], None)

    def test_shows_files_without_where_the_channel_has_them(self, business, user, conversation):
        file = {
            "kind": "image",
            "media_id": "123",
            "url": "https://lookaside.fbsbx.com/?token=secret",
            "mime_type": "image/png",
            "filename": "",
            "name": "1/a.png",
            "error": "https://x/?token=secret",
        }
        said(conversation, author="customer", media=[file])

        [shown] = rows(business, user)

        [entry] = shown["media"]
        assert entry.pop("url").startswith("http://")
        assert entry.pop("expires_at")
        assert entry == {
            "kind": "image", "mime_type": "image/png", "filename": "", "name": "1/a.png", "transcript": ""
        }  # fmt: skip

    def test_shows_nothing_of_what_was_taken_back(self, business, user, conversation):
        said(conversation, author="customer", text="secret", deleted_at=SENT_AT, media=[{"kind": "image"}])

        [shown] = rows(business, user)

        assert (shown["text"], shown["media"]) == ("", [])
        assert shown["deleted_at"]

    def test_is_narrowed_by_each_filter(self, business, user, conversation):
        [one] = said(conversation, author="customer", status="delivered", text="Two for 100% of_it, please")
        number = PhoneNumberFactory(user=user)
        other = ConversationFactory(
            agent=AgentFactory(phone_number=number), customer=CustomerFactory(phone_number=number)
        )
        [two] = said(other, author="staff", status="failed", text="C:\\temp")
        third = ConversationFactory(agent=conversation.agent)
        lost = MessageFactory(
            conversation=third,
            status="unknown",
            unknown_at=SENT_AT,
            text="Lost",
            author="ai",
            timestamp=SENT_AT,
        )
        assert listed(business, user, "status=unknown") == [lost.pk]
        assert rows(business, user, "status=unknown")[0]["unknown_at"]
        lost.delete()
        moment = two.timestamp.strftime("%Y-%m-%dT%H:%M:%SZ")

        for query, found in {
            f"conversation_id={other.pk}": two,
            f"phone_number_id={number.pk}": two,
            f"customer_phone={other.customer_phone}": two,
            "sender=user": one,
            "sender=agent": two,
            "author=staff": two,
            "author=customer": one,
            "status=failed": two,
            "status=delivered": one,
            f"since={moment}": two,
            f"until={moment}": one,
            "text=PLEASE": one,
            "text=100%25": one,
            "text=of_": one,
            "text=:%5Ct": two,
            f"conversation_id={other.pk}&status=failed&text=temp&author=staff": two,
            f"phone_number_id={number.pk}&status=failed&sender=agent&since={moment}": two,
            f"customer_phone={other.customer_phone}&text=temp": two,
        }.items():
            assert listed(business, user, query) == [found.pk], query
        elsewhere = f"conversation_id={other.pk}&phone_number_id={one.phone_number_id}"
        for query in ("text=f%25it", "text=10_%25", f"conversation_id={other.pk}&sender=user", elsewhere):
            assert listed(business, user, query) == [], query

    def test_finds_nothing_of_others(self, business, user, conversation):
        other = MessageFactory(status="failed", text="canary")

        for query in ("", "status=failed", "text=canary", f"conversation_id={other.conversation_id}",
                      f"phone_number_id={other.phone_number_id}", "sender=agent",
                      f"customer_phone={other.conversation.customer_phone}", "text=ca",
                      f"phone_number_id={other.phone_number_id}&status=failed"):  # fmt: skip
            assert listed(business, user, query) == [], query

    @pytest.mark.parametrize(
        "narrowed", ["", "conversation", "number", "customer", "text=said", "sender=agent"]
    )
    @pytest.mark.parametrize("order", ["newest", "oldest"])
    def test_goes_page_by_page_while_messages_are_added(self, business, user, conversation, narrowed, order):
        made = [message.pk for message in said(conversation, 5)]
        known = {
            "conversation": f"conversation_id={conversation.pk}",
            "number": f"phone_number_id={conversation.customer.phone_number_id}",
            "customer": f"customer_phone={conversation.customer_phone}",
        }
        query = f"limit=2&order={order}&{known.get(narrowed, narrowed)}"

        def meanwhile() -> None:
            if Message.objects.count() < 8:
                said(conversation)

        seen = list(chain.from_iterable(all_pages(business, user, query, meanwhile)))

        assert len(seen) == len(set(seen))
        if order == "newest":
            assert seen == made[::-1]
        else:
            assert seen[:5] == made

    def test_looks_at_no_more_than_some_rows_for_a_page(self, business, user, conversation, monkeypatch):
        monkeypatch.setattr(pagination, "MOST_WALKED", 3)
        [first] = said(conversation, author="staff")
        said(conversation, 6)

        found = all_pages(business, user, "author=staff")

        assert found == [[], [], [first.pk]]

    def test_looks_for_frequent_words_page_by_page(self, business, user, conversation, monkeypatch):
        monkeypatch.setattr(listing, "MOST_SORTED", 2)
        made = [message.pk for message in said(conversation, 5, text="hello")]

        found = all_pages(business, user, "text=hello&limit=2")

        assert list(chain.from_iterable(found)) == made[::-1]

    def test_asks_as_often_for_many_as_for_one(self, business, user, conversation):
        said(conversation)
        listed(business, user)
        with CaptureQueriesContext(connection) as one:
            listed(business, user)
        said(conversation, 10)

        with CaptureQueriesContext(connection) as many:
            assert len(listed(business, user)) == 11

        assert len(many) == len(one)

    @pytest.mark.parametrize(
        "query",
        ["text=x", f"text={'x' * 201}", "status=lost", "sender=bot", "author=user", "order=random",
         "since=now", "since=2026-01-01T00:00:00", "conversation=x", "cursor=x", "text=a%00b"],
    )  # fmt: skip
    def test_refuses_what_it_does_not_understand(self, business, user, query):
        assert business.get(f"/users/{user.user_id}/messages?{query}").status_code == 400

    def test_refuses_the_cursor_of_another_list(self, business, user, conversation):
        said(conversation, 3)
        cursor = business.get(f"/users/{user.user_id}/messages?limit=1").json()["next_cursor"]

        answer = business.get(
            f"/users/{user.user_id}/messages?conversation_id={conversation.pk}&cursor={cursor}"
        )

        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "invalid_cursor")


# By itself, after the tests whose rows are rolled back: Postgres remembers how large a table was.
@pytest.mark.django_db(transaction=True)
class TestPlan:
    @pytest.fixture
    def filled(self, valkey):
        filled = filling.fill("usr_measured", count=20_000)
        filling.fill("usr_other", count=2_000)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE messages, conversations, customers")
        return filled

    def test_is_an_index_scan_for_every_page(self, filled):
        ask = caller.operator()
        for asked in ({}, {"order": "oldest"}, {"conversation_id": filled.long_conversation},
                      {"phone_number_id": filled.busy_number}):  # fmt: skip
            for depth in (1, 30, 300):
                if url := pages.url_at(filled, asked, depth):
                    [plan] = pages.plans(ask, url)

                    assert "Seq Scan" not in plan, (asked, plan)
                    # A subplan may sort the few messages of one turn.
                    page = plan.partition("SubPlan")[0]
                    assert "Sort" not in page, (asked, plan)

    def test_is_bounded_for_what_is_rare(self, filled):
        ask = caller.operator()
        indexes = {
            "messages_by_number": {"phone_number_id": filled.rare_number},
            "messages_failed": {"status": "failed"},
            "messages_by_words": {"text": filling.RARE_WORD},
            "messages_sequence_once_per_conversation": {"customer_phone": filled.customer_phone},
        }
        for index, asked in indexes.items():
            plans = "\n".join(pages.plans(ask, pages.url_at(filled, asked, 1)))

            assert index in plans, (asked, plans)
            assert "Seq Scan" not in plans


class TestOne:
    def test_tells_how_each_part_was_sent(self, business, user, conversation):
        [message] = said(conversation)
        turn = TurnFactory(conversation=conversation, state="done")
        for attempt, part in ((2, 1), (1, 2), (1, 1)):
            DeliveryFactory(message=message, turn=turn, attempt=attempt, part=part, state="sent")

        answer = business.get(f"/users/{user.user_id}/messages/{message.pk}")

        sent = answer.json()["deliveries"]
        assert (answer.status_code, bool(answer["ETag"])) == (200, True)
        assert [(each["attempt"], each["part"]) for each in sent] == [(1, 1), (1, 2), (2, 1)]
        assert "lease_token" not in sent[0]
        assert "text" not in sent[0]

    def test_of_others_does_not_exist(self, business, user):
        other = MessageFactory(status="failed")

        for owner in (user.user_id, other.user_id):
            assert business.get(f"/users/{owner}/messages/{other.pk}").status_code == 404
            assert business.post(f"/users/{owner}/messages/{other.pk}/retry").status_code == 404


class TestAnswering:
    def say(self, ask, user, conversation, body=None, **headers):
        url = f"/users/{user.user_id}/conversations/{conversation.pk}/messages"
        return ask.post(url, {"text": "We are open."} if body is None else body, **headers)

    def test_sends_and_pauses_the_ai(self, business, user, conversation):
        answer = self.say(business, user, conversation)

        shown = answer.json()
        assert answer.status_code == 201
        assert (shown["author"], shown["status"], shown["text"]) == ("staff", "pending", "We are open.")
        assert shown["actor"] == f"key:{business.key.split('_')[1]}"
        assert business.get(answer["Location"]).json()["deliveries"][0]["state"] == "pending"
        conversation.customer.refresh_from_db()
        assert conversation.customer.paused_until > timezone.now()

    def test_pauses_until_then(self, business, user, conversation):
        until = timezone.now() + timedelta(days=2)

        self.say(business, user, conversation, {"text": "Hello", "pause_until": until.isoformat()})

        conversation.customer.refresh_from_db()
        assert conversation.customer.paused_until == until

    def test_sends_once_per_idempotency_key(self, business, user, conversation):
        first, again = (self.say(business, user, conversation, Idempotency_Key="k1") for _ in range(2))

        assert first.json() == again.json()
        assert again["Idempotency-Replayed"] == "true"
        assert Delivery.objects.count() == 1

    def test_costs_nothing(self, business, user, conversation):
        self.say(business, user, conversation)

        assert Credit.objects.get(user=user).remaining_credits == 100

    def test_is_refused_once_the_conversation_has_ended(self, business, user, conversation):
        conversation.is_active = False
        conversation.save()

        answer = self.say(business, user, conversation)

        assert (answer.status_code, answer.json()["code"]) == (409, "conversation_closed")
        assert Message.objects.count() == 0
        conversation.customer.refresh_from_db()
        assert conversation.customer.paused_until is None

    def test_refusal_of_an_ended_conversation_names_the_one_that_goes_on(self, business, user, conversation):
        conversation.is_active = False
        conversation.save()
        alone = self.say(business, user, conversation).json()
        newest = ConversationFactory(agent=conversation.agent, customer=conversation.customer)

        answer = self.say(business, user, conversation).json()

        assert (alone["conversation_id"], answer["conversation_id"]) == (None, newest.pk)

    def test_is_refused_a_day_after_the_customer_wrote(self, business, user, agent):
        conversation = ConversationFactory(
            agent=agent, customer=CustomerFactory(phone_number=agent.phone_number)
        )

        answer = self.say(business, user, conversation)

        assert (answer.status_code, answer.json()["code"]) == (409, "window_closed")

    def test_is_refused_on_a_number_that_was_deleted(self, business, user, conversation):
        PhoneNumber.objects.update(deleted_at=timezone.now())

        answer = self.say(business, user, conversation)

        assert (answer.status_code, answer.json()["code"]) == (409, "channel_gone")

    @pytest.mark.parametrize(
        "body",
        [{}, {"text": ""}, {"text": "  "}, {"text": 7}, {"text": None}, {"text": "x" * 10_001},
         {"text": "x", "kind": "image"}, {"text": "x", "pause_until": "2026"},
         {"text": "x", "pause_until": None}],
    )  # fmt: skip
    def test_refuses_what_does_not_fit(self, business, user, conversation, body):
        assert self.say(business, user, conversation, body).status_code == 400

    def test_refuses_a_pause_until_the_past(self, business, user, conversation):
        answer = self.say(business, user, conversation, {"text": "x", "pause_until": "2020-01-01T00:00:00Z"})

        assert (answer.status_code, answer.json()["code"]) == (422, "until_in_the_past")


class TestRetrying:
    @pytest.fixture
    def failed(self, conversation):
        """A reply whose only part failed; it was not refunded."""
        turn = TurnFactory(conversation=conversation, state="done")
        [message] = said(conversation, turn=turn, status="failed")
        DeliveryFactory(message=message, turn=turn, state="failed")
        return message

    def retry(self, ask, user, message, **headers):
        return ask.post(f"/users/{user.user_id}/messages/{message.pk}/retry", **headers)

    def test_begins_once(self, business, user, failed):
        answers = [self.retry(business, user, failed) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [202, 202]
        assert [answer.json()["started"] for answer in answers] == [True, False]
        assert answers[0].json()["status"] == "pending"
        assert Delivery.objects.filter(attempt=2).count() == 1

    def test_gives_the_same_answer_for_an_idempotency_key(self, business, user, failed):
        answers = [self.retry(business, user, failed, Idempotency_Key="k1") for _ in range(2)]

        assert [answer.json()["started"] for answer in answers] == [True, True]

    def test_of_what_did_not_fail_is_refused(self, business, user, conversation):
        [message] = said(conversation, status="sent")

        answer = self.retry(business, user, message)

        assert (answer.status_code, answer.json()["code"]) == (409, "not_failed")

    def test_after_a_day_is_refused(self, business, user, agent):
        conversation = ConversationFactory(
            agent=agent, customer=CustomerFactory(phone_number=agent.phone_number)
        )
        [message] = said(conversation, status="failed")

        answer = self.retry(business, user, message)

        assert (answer.status_code, answer.json()["code"]) == (409, "window_closed")

    def test_of_a_refunded_reply_needs_credits(self, business, user, failed):
        Credit.objects.filter(user=user).update(remaining_credits=0)
        refund(user, failed.turn_id)

        answer = self.retry(business, user, failed)

        assert (answer.status_code, answer.json()["code"]) == (422, "insufficient_credits")
        assert Delivery.objects.count() == 1

    def test_of_unknown_outcome_needs_may_repeat(self, business, user, conversation):
        turn = TurnFactory(conversation=conversation, state="done")
        [message] = said(conversation, turn=turn, status="unknown", unknown_at=timezone.now())
        DeliveryFactory(message=message, turn=turn, state="unknown")
        path = f"/users/{user.user_id}/messages/{message.pk}/retry"

        refused = business.post(path, {})
        begun = business.post(path, {"may_repeat": True})

        assert (refused.status_code, refused.json()["code"]) == (409, "may_have_arrived")
        assert (begun.status_code, begun.json()["started"]) == (202, True)
        assert (begun.json()["status"], begun.json()["unknown_at"]) == ("pending", None)

    def test_of_a_message_that_was_taken_back_is_refused(self, business, user, conversation):
        [message] = said(conversation, author="customer", status="failed", deleted_at=SENT_AT)

        answer = self.retry(business, user, message)

        assert (answer.status_code, answer.json()["code"]) == (409, "taken_back")

    def test_takes_nothing_else(self, business, user, failed):
        answer = business.post(f"/users/{user.user_id}/messages/{failed.pk}/retry", {"force": True})

        assert answer.json()["errors"][0]["code"] == "unknown_field"


def refund(user, reference) -> None:
    """Have a reply refunded, and nothing left to send it again."""
    ledger.grant(user_id=user.user_id, amount=1, reference=f"for-{reference}")
    ledger.charge(user_id=user.user_id, amount=1, reference=reference)
    ledger.refund(reference=reference, reason="failed")
    ledger.charge(user_id=user.user_id, amount=1, reference=f"other-{reference}")
