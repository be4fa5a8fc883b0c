"""Whoever comes back is told all that came since, in however many conversations, once and in order."""

import pytest

from channels_app.models import Customer
from channels_app.webchat.sessions import Visitor
from conversations import feed
from conversations.models import Conversation, Message
from tests.factories import ConversationFactory, DeliveryFactory, MessageFactory
from tests.webchat.browser_calls import agent_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def talks(browser, chat):
    """Give conversations of a visitor who has written, by number; only one that is asked for goes on."""
    browser.write("Hello")
    customer = Customer.objects.get()

    def begin(number: int, *, says: int = 1, is_active: bool = False) -> Conversation:
        talk = ConversationFactory(
            conversation_id=f"cnv_{number:026}", customer=customer, agent=agent_of(chat), is_active=is_active
        )
        for place in range(1, says + 1):
            say(talk, place)
        return talk

    return begin


def say(talk: Conversation, place: int) -> None:
    number = int(talk.pk.removeprefix("cnv_"))
    message = MessageFactory(conversation=talk, sequence_no=place, text=f"{number}.{place}", status="sent")
    DeliveryFactory(message=message, phone_number=talk.customer.phone_number, state="sent")


def replies(answer) -> list[str]:
    return [message["text"] for message in answer["messages"] if message["from"] == "ai"]


def told_since(browser, cursor: str, *, limit: int) -> tuple[list[str], str, int]:
    """Read page by page; give the replies, the last cursor and the longest one's length."""
    found, longest = [], 0
    for _ in range(500):
        answer = browser.get(f"messages?limit={limit}&after={cursor}").json()
        cursor, longest = answer["cursor"], max(longest, len(answer["cursor"]))
        found += replies(answer)
        if not answer["has_more"]:
            return found, cursor, longest
    raise AssertionError("it never ends")


class TestAfterALongTime:
    @pytest.mark.parametrize("limit", [1, 3, 50])
    def test_nothing_is_lost_or_doubled_however_many_conversations_began(self, browser, talks, limit):
        talks(1, says=2)
        seen = browser.messages()["cursor"]
        for number in range(2, 60):
            talks(number, says=number % 3)

        found, cursor, longest = told_since(browser, seen, limit=limit)

        assert found == [f"{n}.{place}" for n in range(2, 60) for place in range(1, n % 3 + 1)]
        assert browser.messages(after=cursor)["messages"] == []
        assert longest < 600

    def test_whoever_had_seen_nothing_is_told_everything(self, browser, talks):
        nothing = "eyJjIjp7fSwiaSI6MH0"
        for number in range(1, 30):
            talks(number)

        found, _, _ = told_since(browser, nothing, limit=7)

        assert found == [f"{n}.1" for n in range(1, 30)]

    def test_somebody_new_is_told_the_newest_three(self, browser, talks):
        for number in range(1, 7):
            talks(number)

        answer = browser.messages()

        assert replies(answer) == ["4.1", "5.1", "6.1"]
        assert answer["has_more"] is False
        assert told_since(browser, answer["cursor"], limit=50)[0] == []


class TestAReplyThatIsSentLate:
    def test_is_told_however_many_conversations_began_since(self, browser, talks):
        late = Message.objects.filter(conversation=talks(1))
        late.update(status="pending")
        seen = browser.messages()["cursor"]
        for number in range(2, 9):
            talks(number)
        _, cursor, _ = told_since(browser, seen, limit=2)
        late.update(status="sent")

        assert told_since(browser, cursor, limit=2)[0] == ["1.1"]


class TestAConversationThatGoesOn:
    """Two rows that became one person: the talk used last goes on, which need not be the newest."""

    def test_is_told_though_newer_ones_have_ended(self, browser, talks):
        going_on = talks(1, is_active=True)
        for number in range(2, 7):
            talks(number)
        first = browser.messages()
        say(going_on, 2)

        found, cursor, _ = told_since(browser, first["cursor"], limit=2)

        assert replies(first) == ["1.1", "4.1", "5.1", "6.1"]
        assert found == ["1.2"]
        assert told_since(browser, cursor, limit=50)[0] == []

    def test_is_told_whole_in_pages_even_if_it_ends_between_them(self, browser, talks):
        for number in range(2, 9):
            talks(number)
        seen = browser.messages()["cursor"]
        merged = talks(1, says=5, is_active=True)
        talks(9)

        page = browser.get(f"messages?limit=2&after={seen}").json()
        Conversation.objects.filter(pk=merged.pk).update(is_active=False)
        found, cursor, _ = told_since(browser, page["cursor"], limit=2)

        assert replies(page) + found == ["1.1", "1.2", "1.3", "1.4", "1.5", "9.1"]
        assert told_since(browser, cursor, limit=50)[0] == []

    def test_moves_the_mark_that_streams_look_at(self, browser, talks, chat):
        going_on = talks(1, is_active=True)
        for number in range(2, 7):
            talks(number)
        who = Visitor(chat.pk, Customer.objects.get(phone_number_id=chat.pk).visitor_id)
        before = feed.fingerprints([who])[who]

        say(going_on, 2)

        assert feed.fingerprints([who])[who] != before

    def test_becomes_read(self, browser, talks):
        talks(1, is_active=True)
        for number in range(2, 7):
            talks(number)

        browser.post("read", {"cursor": browser.messages()["cursor"]})

        assert Message.objects.get(text="1.1").status == "read"
