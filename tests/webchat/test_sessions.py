"""A token says who a visitor is, for one chat and for 30 days, and cannot be made by anybody else."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.signing import Signer

from channels_app.webchat import chats, sessions
from channels_app.webchat.sessions import Identity, IdentityInvalidError, SessionInvalidError
from tests.webchat.browser_calls import Browser, chat_of, web_chat

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def identity(chat, user_id: str = "4711", **changes) -> Identity:
    return Identity(**{"user_id": user_id, "hash": chat.hash_of(user_id), "name": "Ana", **changes})


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


class TestIdentity:
    def test_is_the_same_visitor_each_time(self, chat):
        found = {sessions.begin(chat, now=NOW, identity=identity(chat)).visitor for _ in range(2)}

        assert [(one.name, one.is_anonymous) for one in found] == [("Ana", False)]

    def test_is_another_for_another_user(self, chat):
        one = sessions.begin(chat, now=NOW, identity=identity(chat, "4711"))
        two = sessions.begin(chat, now=NOW, identity=identity(chat, "4712"))

        assert one.visitor.visitor_id != two.visitor.visitor_id

    def test_knows_who_they_were_before_and_nobody_elses_before(self, chat):
        anonymous = sessions.begin(chat, now=NOW).visitor
        one, other = identity(chat, "1"), identity(chat, "2")

        signed_in = sessions.begin(chat, now=NOW, identity=one, earlier=anonymous).visitor
        again = sessions.begin(chat, now=NOW, identity=one, earlier=signed_in)
        stranger = sessions.begin(chat, now=NOW, identity=other, earlier=signed_in).visitor

        assert sessions.read(again.token, chat=chat, now=NOW).before == anonymous.visitor_id
        assert stranger.before == ""

    @pytest.mark.parametrize("given", ["", "0" * 64, "é" * 64])
    def test_that_nobody_vouches_for_is_refused(self, chat, given):
        with pytest.raises(IdentityInvalidError):
            sessions.begin(chat, now=NOW, identity=identity(chat, hash=given))

    def test_is_vouched_for_by_this_chats_secret_alone(self, chat):
        other = web_chat()

        with pytest.raises(IdentityInvalidError):
            sessions.begin(chat, now=NOW, identity=identity(chat, hash=other.hash_of("4711")))

    def test_ends_with_the_secret_that_vouched_for_it(self, chat):
        known = sessions.begin(chat, now=NOW, identity=identity(chat)).token
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

    @pytest.mark.parametrize("letter", ["a", "я", "\u202e", "🥐"])
    def test_is_good_for_whatever_name_may_be_given(self, chat, letter):
        given = {"user_id": "4711", "name": letter * 100, "hash": chat.hash_of("4711")}

        assert Browser(chat).begin(identity=given).get("messages").status_code == 200

    @pytest.mark.parametrize("token", ["nonsense", "eyJuIjoxfQ:x"])
    def test_takes_a_token_that_is_none_as_none(self, chat, token):
        assert Browser(chat, token=token).post("sessions").status_code == 201

    def test_refuses_an_identity_that_nobody_vouches_for(self, chat):
        answer = Browser(chat).post("sessions", {"identity": {"user_id": "4711", "hash": "0" * 64}})

        assert (answer.status_code, answer.json()["code"]) == (422, "identity_invalid")
