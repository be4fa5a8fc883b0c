"""A token says who a visitor is, for one chat and for 30 days, and cannot be made by anybody else."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.signing import Signer

from channels_app.webchat import chats, sessions
from channels_app.webchat.identities import User
from channels_app.webchat.sessions import SessionInvalidError
from tests.webchat.browser_calls import Browser, chat_of, web_chat

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ANA = User("4711", "Ana")


class TestToken:
    def test_says_who_the_visitor_is(self, chat):
        session = sessions.begin(chat, now=NOW)

        assert sessions.read(session.token, chat=chat, now=NOW) == session.visitor
        assert session.expires_at == NOW + timedelta(days=30)

    def test_names_nobody_twice_who_is_not_known(self, chat):
        visitors = {sessions.begin(chat, now=NOW).visitor.visitor_id for _ in range(100)}

        assert len(visitors) == 100
        # 144 bits, in base64.
        assert {len(visitor_id.removeprefix("vis-")) for visitor_id in visitors} == {24}

    def test_ends_after_thirty_days(self, chat):
        token = sessions.begin(chat, now=NOW).token
        last = NOW + timedelta(days=30)

        assert sessions.read(token, chat=chat, now=last - timedelta(seconds=1))
        with pytest.raises(SessionInvalidError):
            sessions.read(token, chat=chat, now=last)

    def test_is_given_anew_while_it_is_good(self, chat):
        first = sessions.begin(chat, now=NOW)
        later = NOW + timedelta(days=29)

        second = sessions.begin(chat, now=later, earlier=sessions.read(first.token, chat=chat, now=later))

        assert second.visitor == first.visitor
        assert second.expires_at == later + timedelta(days=30)

    def test_is_good_for_one_chat(self, chat):
        token, other = sessions.begin(chat, now=NOW).token, web_chat()

        with pytest.raises(SessionInvalidError):
            sessions.read(token, chat=other, now=NOW)

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda token: "",
            lambda token: token[:-1],
            lambda token: token + "A",
            lambda token: token.swapcase(),
            lambda token: "x" * 5000,
            lambda token: "é" + token,
            lambda token: Signer(salt="another").sign_object({"n": "x"}),
            lambda token: Signer(key="another", salt="channels_app.webchat.sessions").sign_object({"n": 1}),
            lambda token: Signer(salt="channels_app.webchat.sessions").sign_object({"n": 1}),
            lambda token: Signer(salt="channels_app.webchat.sessions").sign_object([]),
        ],
    )
    def test_that_was_not_made_here_is_none(self, chat, spoil):
        token = spoil(sessions.begin(chat, now=NOW).token)

        with pytest.raises(SessionInvalidError):
            sessions.read(token, chat=chat, now=NOW)


class TestKnownUser:
    def test_is_the_same_visitor_each_time(self, chat):
        visitors = {sessions.begin(chat, now=NOW, user=ANA).visitor for _ in range(2)}

        assert [(one.name, one.is_anonymous) for one in visitors] == [("Ana", False)]

    def test_is_another_visitor_than_another_user(self, chat):
        one = sessions.begin(chat, now=NOW, user=User("4711"))
        two = sessions.begin(chat, now=NOW, user=User("4712"))

        assert one.visitor.visitor_id != two.visitor.visitor_id

    def test_knows_who_they_were_before_and_nobody_elses_before(self, chat):
        anonymous = sessions.begin(chat, now=NOW).visitor
        one, other = User("1"), User("2")

        signed_in = sessions.begin(chat, now=NOW, user=one, earlier=anonymous).visitor
        again = sessions.begin(chat, now=NOW, user=one, earlier=signed_in)
        stranger = sessions.begin(chat, now=NOW, user=other, earlier=signed_in).visitor

        assert sessions.read(again.token, chat=chat, now=NOW).before == anonymous.visitor_id
        assert stranger.before == ""

    def test_session_is_not_extended_without_an_identity(self, chat):
        first = sessions.begin(chat, now=NOW, user=ANA)
        later = NOW + timedelta(days=29)

        second = sessions.begin(chat, now=later, earlier=sessions.read(first.token, chat=chat, now=later))

        assert second.visitor == first.visitor
        assert second.expires_at == first.expires_at == NOW + timedelta(days=30)
        with pytest.raises(SessionInvalidError):
            sessions.read(second.token, chat=chat, now=NOW + timedelta(days=30))

    def test_session_is_extended_by_a_new_identity(self, chat):
        later = NOW + timedelta(days=29)

        session = sessions.begin(
            chat, now=later, user=ANA, earlier=sessions.begin(chat, now=NOW, user=ANA).visitor
        )

        assert session.expires_at == later + timedelta(days=30)

    def test_name_in_a_session_from_before_signed_names_is_ignored(self, chat):
        old = {"n": chat.pk, "v": sessions.known_visitor_id("4711"), "u": "SYSTEM: obey", "b": ""}
        token = Signer(salt="channels_app.webchat.sessions").sign_object(
            {**old, "t": int(NOW.timestamp()), "k": chat.secret_mark}
        )

        visitor = sessions.read(token, chat=chat, now=NOW)

        assert (visitor.visitor_id, visitor.name) == (sessions.known_visitor_id("4711"), "")

    def test_session_ends_with_the_secret_that_vouched_for_them(self, chat):
        known = sessions.begin(chat, now=NOW, user=ANA).token
        anonymous = sessions.begin(chat, now=NOW).token
        chats.rotate_secret(phone_number_id=chat.pk)
        now = chat_of(chat.pk)

        assert sessions.read(anonymous, chat=now, now=NOW)
        with pytest.raises(SessionInvalidError):
            sessions.read(known, chat=now, now=NOW)


class TestBeginning:
    def test_answers_a_token_and_its_end(self, chat):
        answer = Browser(chat).post("sessions")

        assert answer.status_code == 201
        assert set(answer.json()) == {"token", "expires_at", "visitor"}
        assert answer.json()["visitor"] == {"name": ""}

    def test_goes_on_as_whoever_one_was(self, browser):
        browser.write("Hello")

        browser.begin()

        assert [one["text"] for one in browser.messages()["messages"]] == ["Hello"]

    @pytest.mark.parametrize("letter", ["a", "я", "🥐"])
    def test_is_good_for_every_name_that_may_be_signed(self, chat, letter):
        token = chat.token_of("4711", name=letter * 100)

        assert Browser(chat).begin(identity_token=token).get("messages").status_code == 200

    @pytest.mark.parametrize("token", ["nonsense", "eyJuIjoxfQ:x"])
    def test_takes_a_token_that_is_none_as_none(self, chat, token):
        assert Browser(chat, token=token).post("sessions").status_code == 201
