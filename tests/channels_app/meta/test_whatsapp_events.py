from datetime import timedelta

import pytest

from channels_app.meta import whatsapp
from channels_app.meta.types import Parsed, Person
from tests.channels_app.meta.wire import (
    LUCIA,
    NOW,
    NUMBER,
    OWN_NUMBER,
    SENT,
    SENT_AT,
    message,
    only_event,
    only_problem,
    through_bytes,
    whatsapp_messages,
    whatsapp_value,
)

OLD = {"wa_id": LUCIA.wa_id, "bsuid": LUCIA.bsuid}


def status(**more):
    found = {"id": "wamid.OUT", "status": "sent", "timestamp": str(SENT), "recipient_id": LUCIA.wa_id} | more
    return through_bytes(whatsapp_value(statuses=[found]))


def system(content, **more):
    return whatsapp_messages(message("system", content, **more))


class TestReaction:
    def test_tells_emoji_and_message(self):
        event = only_event(whatsapp_messages(message("reaction", {"message_id": "wamid.OUT", "emoji": "x"})))

        assert (event.kind, event.provider_message_id, event.key) == ("reaction", "wamid.OUT", "wamid.IN")
        assert (event.data, event.person, event.occurred_at) == ({"emoji": "x"}, LUCIA, SENT_AT)

    @pytest.mark.parametrize("content", [{"message_id": "o"}, {"message_id": "o", "emoji": ""}])
    def test_is_taken_back_without_an_emoji(self, content):
        assert only_event(whatsapp_messages(message("reaction", content))).data == {"emoji": ""}

    @pytest.mark.parametrize("content", [None, {}, [], {"message_id": None}, {"message_id": "x" * 601}])
    def test_is_a_problem_without_a_message(self, content):
        only_problem(whatsapp_messages(message("reaction", content)))


class TestEditAndRevoke:
    @pytest.mark.parametrize(
        ("edited", "text"),
        [
            ({"type": "text", "text": {"body": "Hola!"}}, "Hola!"),
            ({"text": {"body": "Hola!"}}, "Hola!"),
            ({"type": "image", "image": {"id": "1", "caption": "Esto"}}, "Esto"),
        ],
    )
    def test_edit_tells_what_the_message_says_now(self, edited, text):
        content = {"original_message_id": "wamid.FIRST", "message": edited}

        event = only_event(whatsapp_messages(message("edit", content)))

        assert (event.kind, event.provider_message_id, event.key) == ("edit", "wamid.FIRST", "wamid.IN")
        assert (event.data, event.person) == ({"text": text}, LUCIA)

    @pytest.mark.parametrize(
        "content",
        [None, {}, {"original_message_id": "o"}, {"original_message_id": "o", "message": {"type": "text"}}],
    )
    def test_edit_is_a_problem_without_what_is_new(self, content):
        only_problem(whatsapp_messages(message("edit", content)))

    def test_revoke_names_the_message(self):
        event = only_event(whatsapp_messages(message("revoke", {"original_message_id": "wamid.FIRST"})))

        assert (event.kind, event.provider_message_id, event.person) == ("revoke", "wamid.FIRST", LUCIA)


class TestIdentity:
    def test_new_number_and_new_bsuid(self):
        content = {"type": "user_changed_number", "wa_id": "+1999", "user_id": "US.9"}

        event = only_event(system(content))

        assert (event.kind, event.person) == ("identity", Person(LUCIA.wa_id, LUCIA.bsuid))
        assert event.data == {"old": OLD, "new": {"wa_id": "1999", "bsuid": "US.9"}}

    @pytest.mark.parametrize("sender", [None, LUCIA.wa_id])
    def test_new_bsuid_names_the_previous_one(self, sender):
        content = {"type": "user_changed_user_id", "user_id": "US.9", "previous_user_id": LUCIA.bsuid}

        event = only_event(system(content, **{"from": sender, "from_user_id": "US.9"}))

        assert event.data["old"] == {"wa_id": sender, "bsuid": LUCIA.bsuid}
        assert event.data["new"] == {"wa_id": None, "bsuid": "US.9"}
        assert event.person == Person(sender, LUCIA.bsuid)

    def test_new_bsuid_is_never_taken_for_the_old_one(self):
        event = only_event(system({"type": "user_changed_user_id", "user_id": LUCIA.bsuid}))

        assert event.data["old"] == {"wa_id": LUCIA.wa_id, "bsuid": None}

    def test_older_names_are_known(self):
        event = only_event(system({"type": "customer_changed_number", "new_wa_id": "1999"}))

        assert event.data["new"] == {"wa_id": "1999", "bsuid": None}

    def test_new_device_changes_no_id(self):
        event = only_event(system({"type": "customer_identity_changed"}, identity={"hash": "x"}))

        assert event.data == {"old": OLD, "new": OLD}

    @pytest.mark.parametrize(
        ("content", "more"),
        [
            ({"type": "user_changed_number"}, {}),
            ({"type": "user_changed_number", "wa_id": "1"}, {"from": None, "from_user_id": None}),
            ({"type": "user_changed_number", "wa_id": {}}, {}),
        ],
    )
    def test_is_a_problem_without_old_or_new_ids(self, content, more):
        only_problem(system(content, **more))


class TestStatus:
    @pytest.mark.parametrize("name", ["sent", "delivered", "read", "played", "failed", "teleported"])
    def test_keeps_the_name(self, name):
        event = only_event(status(status=name))

        assert (event.kind, event.key) == ("status", f"wamid.OUT:{name}")
        assert (event.provider_message_id, event.occurred_at) == ("wamid.OUT", SENT_AT)
        assert event.data == {"status": name, "error": ""}

    def test_names_the_errors(self):
        errors = [{"code": "131047", "title": "Re-engagement"}, None, {"code": 1}]

        assert only_event(status(errors=errors)).data["error"] == "131047: Re-engagement; 1"

    def test_knows_a_customer_by_bsuid(self):
        event = only_event(status(recipient_id=None, recipient_user_id=LUCIA.bsuid))

        assert event.person == LUCIA

    def test_of_a_group_names_nobody(self):
        assert only_event(status(recipient_type="group", recipient_id="G1")).person is None

    @pytest.mark.parametrize("odd", [None, {}, [], "x" * 513])
    def test_odd_extras_cost_nothing(self, odd):
        event = only_event(status(biz_opaque_callback_data=odd, recipient_id=odd, errors=odd, timestamp=odd))

        assert (event.callback_data, event.person, event.occurred_at) == ("", None, NOW)

    @pytest.mark.parametrize(
        "fault", [{"id": None}, {"id": ""}, {"status": None}, {"status": ""}, {"status": {}}]
    )
    def test_is_a_problem_without_id_or_status(self, fault):
        assert only_problem(status(**fault)).reason.startswith("statuses: Status.")


class TestNotice:
    ERROR = {"code": 130429, "title": "Rate limit hit"}

    def notices(self, *errors, now=NOW):
        return whatsapp.parse(whatsapp_value(errors=list(errors)), now=now).events

    def test_is_one_for_each_error(self):
        events = self.notices(self.ERROR, {"code": 1, "title": "API Unknown"})

        assert [event.data["code"] for event in events] == [130429, 1]
        assert {(event.kind, event.phone_number_id, event.occurred_at) for event in events} == {
            ("notice", NUMBER, NOW)
        }
        assert len({event.key for event in events}) == 2

    def test_is_the_same_within_a_minute_only(self):
        times = [NOW, NOW + timedelta(seconds=59), NOW + timedelta(seconds=60)]

        first, second, third = (self.notices(self.ERROR, now=time)[0].key for time in times)

        assert first == second != third

    def test_is_a_problem_when_it_says_nothing(self):
        only_problem(through_bytes(whatsapp_value(errors=[{"href": "x"}])))


class TestEcho:
    def echo(self, **more):
        found = message("text", {"body": "Soy Ana"}, to=LUCIA.wa_id, to_user_id=LUCIA.bsuid) | {
            "from": OWN_NUMBER
        }
        return through_bytes(whatsapp_value("smb_message_echoes", message_echoes=[found | more]))

    def test_is_about_the_customer(self):
        event = only_event(self.echo())

        assert (event.kind, event.person, event.callback_data) == ("echo", LUCIA, "")
        assert (event.provider_message_id, event.key) == ("wamid.IN", "wamid.IN")
        assert event.data == {"kind": "text", "text": "Soy Ana"}

    @pytest.mark.parametrize("more", [{"text": None}, {"type": "hologram"}, {"type": "image"}])
    def test_counts_even_where_it_cannot_be_read(self, more):
        assert only_event(self.echo(**more)).data == {"kind": "unknown", "text": ""}

    def test_to_a_group_names_nobody(self):
        assert only_event(self.echo(group_id="G1", to="G1")).person is None

    def test_is_a_problem_without_an_id(self):
        assert only_problem(self.echo(id=None)).reason == "message_echoes: Echo.id string_type"


class TestEnvelope:
    @pytest.mark.parametrize("field", ["account_update", "history", "calls", "user_preferences"])
    def test_other_fields_tell_nothing(self, field):
        assert through_bytes(whatsapp_value(field, messages=[message()])) == Parsed()

    def test_echoes_are_no_messages(self):
        assert through_bytes(whatsapp_value("messages", message_echoes=[message()])) == Parsed()

    @pytest.mark.parametrize("field", [None, 5, {}, []])
    def test_field_that_is_no_text_is_a_problem(self, field):
        assert only_problem(through_bytes(whatsapp_value(field))).reason == "changes: field is no text"

    @pytest.mark.parametrize(
        "metadata",
        [None, [], {}, {"phone_number_id": None}, {"phone_number_id": ""}, {"phone_number_id": "1" * 51}],
    )
    def test_value_without_our_number_is_a_problem(self, metadata):
        problem = only_problem(through_bytes(whatsapp_value(metadata=metadata, messages=[message()])))

        assert problem.reason.startswith("value: Value.metadata")
        assert problem.item["messages"] == [message()]

    def test_bad_items_cost_their_neighbours_nothing(self):
        parsed = whatsapp_messages(None, message(id=None), [message()], message(), "x")

        assert [one.provider_message_id for one in parsed.inbound] == ["wamid.IN"]
        assert [one.reason for one in parsed.problems] == [
            "messages: not an object",
            "messages: Message.id missing",
            "messages: not an object",
            "messages: not an object",
        ]

    def test_bad_changes_and_entries_cost_their_neighbours_nothing(self):
        payload = whatsapp_value(messages=[message()])
        payload["entry"][0]["changes"][:0] = [None, {"field": "messages", "value": None}]
        payload["entry"][:0] = [[], {"changes": "x"}]

        parsed = through_bytes(payload)

        assert (len(parsed.inbound), len(parsed.problems)) == (1, 4)
