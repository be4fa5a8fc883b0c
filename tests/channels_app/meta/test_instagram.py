import pytest

from channels_app.meta.types import Media, Parsed, Person
from tests.channels_app.meta.wire import (
    ACCOUNT,
    IGSID,
    NOW,
    SENT,
    SENT_AT,
    ig_told,
    instagram_entry,
    instagram_items,
    item,
    only_event,
    only_inbound,
    only_problem,
    through_bytes,
)

ANA = Person(ig_id=IGSID)
OURS = {"sender": {"id": ACCOUNT}, "recipient": {"id": IGSID}}
UNSHOWABLE = "The customer sent something that cannot be shown here"


def attached(*attachments, **more):
    return ig_told(attachments=list(attachments), **more)


class TestText:
    def test_is_told(self):
        inbound = ig_told(text="Hola")

        assert (inbound.kind, inbound.text, inbound.ignored) == ("text", "Hola", "")
        assert (inbound.phone_number_id, inbound.person) == (ACCOUNT, ANA)
        assert (inbound.provider_message_id, inbound.sent_at) == ("mid.IN", SENT_AT)

    def test_is_ignored_when_empty(self):
        assert ig_told(text=" ").ignored == "empty text"

    def test_reply_quotes(self):
        assert ig_told(text="ese", reply_to={"mid": "mid.OUT"}).quoted_id == "mid.OUT"

    def test_quick_reply_is_a_choice(self):
        assert ig_told(quick_reply={"payload": "BOOK"}).text == "BOOK"
        assert ig_told(quick_reply={"payload": "BOOK"}).kind == "choice"

    @pytest.mark.parametrize(
        "fault",
        [{"mid": None}, {"mid": ""}, {"mid": "x" * 601}, {"text": {}}, {"attachments": {}}, {"is_echo": "?"}],
    )
    def test_is_a_problem_when_it_cannot_be_trusted(self, fault):
        broken = item(message={"mid": "m", "text": "Hola"} | fault)

        problem = only_problem(instagram_items(broken))

        assert (problem.item, problem.phone_number_id) == (broken, ACCOUNT)


class TestAttachments:
    @pytest.mark.parametrize(
        ("given", "kind"),
        [("image", "image"), ("video", "video"), ("audio", "audio"), ("file", "document")],
    )
    def test_file_is_told_by_link(self, given, kind):
        inbound = attached({"type": given, "payload": {"url": "https://cdn/1"}})

        assert (inbound.kind, inbound.text) == (kind, "")
        assert inbound.media == (Media(kind=kind, url="https://cdn/1"),)

    def test_several_files_with_a_text(self):
        inbound = attached(*[{"type": "image", "payload": {"url": u}} for u in "ab"], text="Mira")

        assert (inbound.kind, inbound.text, len(inbound.media)) == ("image", "Mira", 2)

    @pytest.mark.parametrize(
        ("attachment", "text", "context"),
        [
            ({"type": "share", "payload": {"url": "u"}}, "u", "something"),
            ({"type": "ig_post", "payload": {"title": "T", "url": "u"}}, "T", "a post"),
            ({"type": "ig_reel", "payload": {"title": "", "url": "u"}}, "u", "a reel"),
            ({"type": "ig_story", "payload": {"story_media_url": "s"}}, "s", "a story"),
            ({"type": "share", "payload": None}, "", "something"),
        ],
    )
    def test_share(self, attachment, text, context):
        inbound = attached(attachment)

        assert (inbound.kind, inbound.text, inbound.media) == ("share", text, ())
        assert (inbound.context, inbound.ignored) == (f"The customer shared {context}", "")

    def test_share_below_what_was_written(self):
        assert (
            attached({"type": "ig_post", "payload": {"title": "T"}}, text="\u00bfhay?").text
            == "\u00bfhay?\nT"
        )

    @pytest.mark.parametrize(
        ("attachment", "what"),
        [
            ({"type": "template", "payload": {"generic": {}}}, "template"),
            ({"type": "hologram"}, "hologram"),
            (None, "attachment"),
            ({"type": []}, "attachment"),
        ],
    )
    def test_others_cannot_be_shown(self, attachment, what):
        inbound = attached(attachment)

        assert (inbound.kind, inbound.ignored) == ("unsupported", "")
        assert inbound.context == f"{UNSHOWABLE} ({what})"

    def test_what_can_be_shown_names_the_kind(self):
        assert attached(None, {"type": "image", "payload": {"url": "u"}}).kind == "image"


class TestKinds:
    def test_reply_to_a_story(self):
        inbound = ig_told(text="\u2764", reply_to={"story": {"id": "1", "url": "https://s/1"}})

        assert (inbound.kind, inbound.text, inbound.quoted_id) == ("story_reply", "\u2764", "")
        assert inbound.context == "The customer replies to our story: https://s/1"

    def test_unsupported(self):
        inbound = ig_told(is_unsupported=True)

        assert (inbound.kind, inbound.context) == ("unsupported", f"{UNSHOWABLE} (unsupported)")

    def test_message_that_says_nothing_is_unknown(self):
        inbound = ig_told()

        assert (inbound.kind, inbound.ignored, inbound.context) == ("unknown", "", f"{UNSHOWABLE} (unknown)")

    @pytest.mark.parametrize(
        ("referral", "words"),
        [
            ({"ref": "r"}, "The customer came by a link with the reference r"),
            ({"ad_id": "1"}, "The customer came from an ad"),
            ({"source": "ADS", "ads_context_data": {"ad_title": "T"}}, "The customer came from an ad: T"),
            ({"product": {"id": 45}}, "The customer asks about product 45"),
            ({"ref": {}, "product": []}, ""),
            ([], ""),
        ],
    )
    def test_referral(self, referral, words):
        assert ig_told(text="info", referral=referral).context == words

    def test_postback_is_a_choice(self):
        pressed = {"mid": "mid.PB", "title": "S\u00e1bado", "payload": "SAT", "referral": {"ref": "r"}}

        inbound = only_inbound(instagram_items(item(postback=pressed)))

        assert (inbound.kind, inbound.text, inbound.provider_message_id) == (
            "choice",
            "S\u00e1bado",
            "mid.PB",
        )
        assert inbound.context == "The customer came by a link with the reference r"

    @pytest.mark.parametrize("pressed", [{"title": "x"}, {"mid": "m"}, None, []])
    def test_postback_without_id_or_title_is_a_problem(self, pressed):
        only_problem(instagram_items(item(postback=pressed)))


class TestOurSide:
    @pytest.mark.parametrize("marked", [{"is_echo": True}, {}])
    def test_is_an_echo(self, marked):
        said = item(message={"mid": "mid.OUT", "text": "\u00a1Claro!"} | marked, **OURS)

        event = only_event(instagram_items(said))

        assert (event.kind, event.phone_number_id, event.person) == ("echo", ACCOUNT, ANA)
        assert (event.provider_message_id, event.key, event.callback_data) == ("mid.OUT", "mid.OUT", "")
        assert event.data == {"kind": "text", "text": "\u00a1Claro!"}

    def test_echo_in_a_test_entry(self):
        payload = instagram_entry(id="0", messaging=[item(message={"mid": "m", "is_echo": True}, **OURS)])

        assert only_event(through_bytes(payload)).phone_number_id == ACCOUNT

    @pytest.mark.parametrize("echo", [True, False])
    def test_talking_to_itself_is_ignored(self, echo):
        both = {"sender": {"id": ACCOUNT}, "recipient": {"id": ACCOUNT}}

        inbound = ig_told(both, text="nota", is_self=True, is_echo=echo)

        assert (inbound.ignored, inbound.person) == ("from ourselves", Person())
        assert ig_told(both, text="nota").ignored == "from ourselves"

    @pytest.mark.parametrize(
        "did",
        [{"read": {"mid": "m"}}, {"reaction": {"mid": "m"}}, {"message_edit": {"mid": "m", "text": "x"}}],
    )
    def test_other_doings_tell_nothing(self, did):
        assert instagram_items(item(**did, **OURS)) == Parsed()

    def test_taking_a_message_back_is_about_the_customer(self):
        event = only_event(instagram_items(item(message={"mid": "m", "is_deleted": True}, **OURS)))

        assert (event.kind, event.phone_number_id, event.person) == ("revoke", ACCOUNT, ANA)


class TestEvents:
    def test_revoke(self):
        event = only_event(instagram_items(item(message={"mid": "mid.IN", "is_deleted": True})))

        assert (event.kind, event.provider_message_id, event.person) == ("revoke", "mid.IN", ANA)

    def reaction(self, timestamp=SENT * 1000, **content):
        told = item(reaction={"mid": "mid.OUT"} | content, timestamp=timestamp)
        return only_event(instagram_items(told))

    def test_reaction(self):
        event = self.reaction(action="react", reaction="love", emoji="\u2764")

        assert (event.kind, event.provider_message_id, event.person) == ("reaction", "mid.OUT", ANA)
        assert event.data == {"emoji": "\u2764"}
        assert self.reaction(action="react", reaction="love").data == {"emoji": "love"}

    def test_reaction_taken_back(self):
        assert self.reaction(action="unreact", emoji="\u2764").data == {"emoji": ""}

    def test_reaction_made_again_is_another(self):
        first, again = self.reaction(action="react"), self.reaction(action="react", timestamp=SENT * 1000 + 9)

        assert first.key == self.reaction(action="react").key
        assert first.key != again.key

    def test_edit(self):
        edited = {"mid": "mid.IN", "text": "Hola!", "num_edit": 2}

        event = only_event(instagram_items(item(message_edit=edited)))

        assert (event.kind, event.provider_message_id, event.key) == ("edit", "mid.IN", "mid.IN:2")
        assert (event.data, event.person) == ({"text": "Hola!"}, ANA)

    @pytest.mark.parametrize(
        "told",
        [
            item(message_edit={"mid": "m", "num_edit": 0}),
            {"timestamp": SENT * 1000, "message_edit": {"mid": "m", "num_edit": 0}},
            {"timestamp": SENT * 1000, "message_edit": {"mid": "m", "num_edit": 1, "text": "x"}},
            item(sender=None, message_edit={"mid": "m", "num_edit": 1, "text": "x"}),
        ],
    )
    def test_edit_of_what_nobody_edited_tells_nothing(self, told):
        assert instagram_items(told) == Parsed()

    @pytest.mark.parametrize(
        "told", [{"referral": {"ref": "r"}}, {"optin": {}}, {"delivery": {}}, {}, {"pass_thread_control": {}}]
    )
    def test_others_tell_nothing(self, told):
        assert instagram_items(item(**told)) == Parsed()

    @pytest.mark.parametrize("name", ["message", "postback", "reaction", "read", "message_edit"])
    @pytest.mark.parametrize("content", [None, [], "x", 5])
    def test_content_that_is_no_object_is_a_problem(self, name, content):
        assert only_problem(instagram_items(item(**{name: content}))).reason.startswith(f"{name}: ")


class TestSides:
    @pytest.mark.parametrize("sender", [None, {}, [], {"id": None}, {"id": ""}, {"id": "1" * 101}])
    def test_without_a_sender_is_a_problem(self, sender):
        told = item(message={"mid": "m", "text": "x"}) | {"sender": sender}

        assert only_problem(instagram_items(told)).reason.startswith("message: Item.sender")

    @pytest.mark.parametrize("recipient", [None, {}, [], {"id": None}])
    def test_without_a_recipient_it_is_for_the_account_of_the_entry(self, recipient):
        assert ig_told({"recipient": recipient}, text="x").phone_number_id == ACCOUNT

    def test_without_recipient_and_account_is_a_problem(self):
        payload = instagram_entry(id="0", messaging=[item(message={"mid": "m", "text": "x"}, recipient=None)])

        assert only_problem(through_bytes(payload)).reason == "message: no account of ours"

    def test_ids_may_be_numbers(self):
        sides = {"sender": {"id": int(IGSID)}, "recipient": {"id": int(ACCOUNT)}}

        inbound = ig_told(sides, text="x", mid=5)

        assert (inbound.person, inbound.phone_number_id) == (ANA, ACCOUNT)
        assert inbound.provider_message_id == "5"

    @pytest.mark.parametrize("timestamp", [None, "soon", {}])
    def test_without_a_time_it_is_from_now(self, timestamp):
        assert ig_told({"timestamp": timestamp}, text="x").sent_at == NOW


class TestEnvelope:
    def test_changes_hold_items_too(self):
        value = item(message={"mid": "random_mid", "text": "random_text"}, timestamp="1527459824")
        payload = instagram_entry(id="0", changes=[{"field": "messages", "value": value}])

        inbound = only_inbound(through_bytes(payload))

        assert (inbound.phone_number_id, inbound.text) == (ACCOUNT, "random_text")
        assert inbound.sent_at.year == 2018

    @pytest.mark.parametrize("field", ["comments", "mentions", "live_comments"])
    def test_changes_of_other_fields_tell_nothing(self, field):
        value = item(message={"mid": "m", "text": "x"})

        assert through_bytes(instagram_entry(changes=[{"field": field, "value": value}])) == Parsed()

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"field": None}, "changes: field is no text"),
            ({"field": "messages", "value": None}, "value: not an object"),
            (None, "changes: not an object"),
        ],
    )
    def test_odd_changes_are_problems(self, change, reason):
        assert only_problem(through_bytes(instagram_entry(changes=[change]))).reason == reason

    def test_standby_is_kept_but_not_answered(self):
        heard = [item(message={"mid": "m", "text": "x"}), item(read={"mid": "o"})]

        parsed = through_bytes(instagram_entry(standby=heard))

        assert [one.ignored for one in parsed.inbound] == ["another app has this conversation"]
        assert [one.kind for one in parsed.events] == ["read"]

    def test_bad_items_cost_their_neighbours_nothing(self):
        good = item(message={"mid": "m", "text": "x"})

        parsed = instagram_items(None, {"message": {}}, good, [good])

        assert [one.provider_message_id for one in parsed.inbound] == ["m"]
        assert len(parsed.problems) == 3
