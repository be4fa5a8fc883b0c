import pytest

from channels_app.meta.types import Media, Person
from tests.channels_app.meta.wire import (
    LUCIA,
    NOW,
    NUMBER,
    OWN_NUMBER,
    SENT_AT,
    message,
    only_inbound,
    only_problem,
    through_bytes,
    told,
    whatsapp_messages,
    whatsapp_value,
)

UNSHOWABLE = "The customer sent something that cannot be shown here"


class TestText:
    def test_is_kept_as_it_was_written(self):
        inbound = told("text", {"body": "  Hola\n"})

        assert (inbound.kind, inbound.text, inbound.ignored) == ("text", "  Hola\n", "")
        assert (inbound.phone_number_id, inbound.sent_at) == (NUMBER, SENT_AT)
        assert (inbound.provider_message_id, inbound.person) == ("wamid.IN", LUCIA)

    @pytest.mark.parametrize("empty", ["", " \n\t "])
    def test_is_ignored_when_empty(self, empty):
        assert told("text", {"body": empty}).ignored == "empty text"

    def test_may_come_without_a_type(self):
        untyped = message("text", type=None)

        assert only_inbound(whatsapp_messages(untyped)).kind == "text"
        assert only_inbound(whatsapp_messages(untyped | {"type": None})).kind == "text"

    @pytest.mark.parametrize("content", [{"body": None}, {"body": ["a"]}, {}, [], "Hola", 5])
    def test_is_a_problem_without_a_body(self, content):
        broken = message("text", content)

        problem = only_problem(whatsapp_messages(broken))

        assert (problem.item, problem.phone_number_id) == (broken, NUMBER)
        assert "Hola" not in problem.reason

    def test_may_be_a_number(self):
        assert told("text", {"body": 42}).text == "42"


class TestMedia:
    @pytest.mark.parametrize("kind", ["image", "video", "audio", "document", "sticker"])
    def test_is_told_by_reference(self, kind):
        inbound = told(kind, {"id": 77, "mime_type": "x/y", "url": "https://lookaside.fbsbx.com/1"})

        assert (inbound.kind, inbound.text, inbound.ignored) == (kind, "", "")
        url = "https://lookaside.fbsbx.com/1"
        assert inbound.media == (Media(kind=kind, media_id="77", mime_type="x/y", url=url),)

    @pytest.mark.parametrize(
        ("voice", "kind"), [(True, "voice"), (False, "audio"), (None, "audio"), ([], "audio")]
    )
    def test_tells_a_voice_message_from_a_sound_file(self, voice, kind):
        inbound = told("audio", {"id": "1", "voice": voice})

        assert (inbound.kind, inbound.media[0].kind) == (kind, kind)

    def test_has_a_caption_and_a_file_name(self):
        inbound = told("document", {"id": "1", "filename": "CV.pdf", "caption": "Mi CV"})

        assert (inbound.text, inbound.media[0].filename) == ("Mi CV", "CV.pdf")

    def test_survives_odd_extras(self):
        inbound = told("image", {"id": "1", "caption": {"a": 1}, "mime_type": None, "url": []})

        assert (inbound.text, inbound.media) == ("", (Media(kind="image", media_id="1"),))

    @pytest.mark.parametrize("content", [None, {}, {"id": None}, {"id": "", "url": ""}, [], "x"])
    def test_is_a_problem_without_a_reference(self, content):
        only_problem(whatsapp_messages(message("image", content)))

    def test_is_unsupported_where_whatsapp_could_not_fetch_it(self):
        inbound = told("video", None, errors=[{"code": 131052, "title": "Media download error"}])

        assert (inbound.kind, inbound.context) == ("unsupported", f"{UNSHOWABLE} (Media download error)")


class TestCards:
    @pytest.mark.parametrize(
        ("content", "text"),
        [
            ({"latitude": 1, "longitude": -2.5}, "Location: (1.0, -2.5)"),
            ({"latitude": "1", "longitude": 2, "name": "Casa"}, "Location: Casa (1.0, 2.0)"),
            ({"latitude": 1, "longitude": 2, "name": [], "address": "Av. 1"}, "Location: Av. 1 (1.0, 2.0)"),
        ],
    )
    def test_location(self, content, text):
        assert told("location", content).text == text

    @pytest.mark.parametrize("content", [None, {}, {"latitude": None, "longitude": 1}])
    def test_location_is_a_problem_without_coordinates(self, content):
        only_problem(whatsapp_messages(message("location", content)))

    def test_contacts_stand_on_a_line_each(self):
        cards = [
            {
                "name": {"first_name": "Ana", "last_name": "Gil"},
                "phones": [{"wa_id": 1}, None, {"phone": "+2"}],
            },
            7,
            {"name": None, "phones": "x", "emails": [{"email": "a@b.c"}], "org": []},
        ]

        assert told("contacts", cards).text == "Contact: Ana Gil, 1, +2\nContact: a@b.c"

    def test_contacts_are_a_problem_when_no_list(self):
        only_problem(whatsapp_messages(message("contacts", {"name": {}})))

    def test_order_without_prices_and_text(self):
        products = [
            {"product_retailer_id": 42, "quantity": "3", "item_price": "9,50", "currency": "EUR"},
            {"product_retailer_id": "b", "quantity": 1.5},
            {"quantity": None, "item_price": 0},
            None,
        ]

        inbound = told("order", {"product_items": products})

        assert inbound.kind == "order"
        lines = "3 \u00d7 42 at 9,50 EUR; 1.5 \u00d7 b; 1 \u00d7 unknown product at 0.00"
        assert inbound.text == f"Order: {lines}"


class TestChoices:
    def test_list_row_with_its_description(self):
        row = {"id": "1", "title": "S\u00e1bado", "description": "10:00"}

        inbound = told("interactive", {"type": "list_reply", "list_reply": row})

        assert (inbound.kind, inbound.text) == ("choice", "S\u00e1bado\n10:00")

    def test_template_button_without_context(self):
        assert told("button", {"payload": "STOP", "text": "No"}).text == "No"

    def test_falls_back_to_the_id(self):
        assert told("interactive", {"button_reply": {"id": "book-sat"}}).text == "book-sat"
        assert told("button", {"payload": "STOP"}).text == "STOP"

    @pytest.mark.parametrize(
        ("kind", "content"), [("interactive", {"button_reply": {}}), ("button", {}), ("button", None)]
    )
    def test_is_a_problem_where_nothing_is_written(self, kind, content):
        only_problem(whatsapp_messages(message(kind, content)))

    def test_form_tells_its_fields(self):
        answer = '{"name":"Ana","seats":2,"days":["s\u00e1b"],"ok":true,"flow_token":"secret"}'

        inbound = told("interactive", {"type": "nfm_reply", "nfm_reply": {"response_json": answer}})

        assert inbound.kind == "form"
        assert inbound.text == 'name: Ana\nseats: 2\ndays: ["s\u00e1b"]\nok: true'

    @pytest.mark.parametrize("answer", ["{not json", "[1]", "[" * 9000])
    def test_form_tells_what_is_no_object_as_it_came(self, answer):
        assert told("interactive", {"nfm_reply": {"response_json": answer}}).text == answer

    def test_form_holds_nothing_that_postgres_refuses(self):
        answer = r'{"a":"\u0000\ud800"}'

        assert told("interactive", {"nfm_reply": {"response_json": answer}}).text == "a: \ufffd\ufffd"

    def test_other_interactions_are_unknown(self):
        inbound = told("interactive", {"type": "call_permission_reply", "call_permission_reply": {}})

        assert (inbound.kind, inbound.ignored) == ("unknown", "")
        assert inbound.context == f"{UNSHOWABLE} (interactive call_permission_reply)"


class TestUnreadable:
    def test_future_type_is_answered_as_something_unknown(self):
        inbound = told("hologram", {"x": 1})

        assert (inbound.kind, inbound.text, inbound.ignored) == ("unknown", "", "")
        assert inbound.context == f"{UNSHOWABLE} (hologram)"

    def test_unsupported_without_a_reason(self):
        inbound = told("unsupported", None)

        assert (inbound.kind, inbound.context) == ("unsupported", f"{UNSHOWABLE} (unsupported)")

    @pytest.mark.parametrize("kind", ["unsupported", "unknown"])
    def test_unsupported_names_the_error(self, kind):
        inbound = told(kind, None, errors=[None, {"code": 131060, "title": "See your phone"}])

        assert (inbound.kind, inbound.context) == ("unsupported", f"{UNSHOWABLE} (See your phone)")

    def test_unsupported_edit_is_ignored(self):
        assert told("unsupported", {"type": "edit"}, errors=[{"code": 131051}]).ignored == "edited"

    def test_system_messages_of_other_types_are_ignored(self):
        inbound = told("system", {"type": "weather", "body": "Rain"})

        assert (inbound.kind, inbound.ignored) == ("unknown", "system message")


class TestBeside:
    def test_reply_quotes(self):
        assert told("text", context={"from": OWN_NUMBER, "id": "wamid.OUT"}).quoted_id == "wamid.OUT"

    @pytest.mark.parametrize(
        ("flag", "words"),
        [
            ("forwarded", "This message was forwarded"),
            ("frequently_forwarded", "This message was forwarded many times"),
        ],
    )
    def test_forwarded_message_quotes_nothing(self, flag, words):
        inbound = told("text", context={flag: True, "id": "wamid.OTHER"})

        assert (inbound.quoted_id, inbound.context) == ("", words)

    def test_question_about_a_product(self):
        product = {"catalog_id": "194", "product_retailer_id": "sku-1"}

        inbound = told("text", context={"from": OWN_NUMBER, "id": "wamid.P", "referred_product": product})

        assert inbound.quoted_id == "wamid.P"
        assert inbound.context == "The customer asks about product sku-1 of catalogue 194"

    @pytest.mark.parametrize(
        ("referral", "words"),
        [
            ({}, "The customer came from an ad"),
            ({"source_type": "post", "headline": "Hi"}, "The customer came from a post: Hi"),
            ({"body": "B", "source_url": "u"}, "The customer came from an ad: B (u)"),
        ],
    )
    def test_referral(self, referral, words):
        assert told("text", referral=referral).context == words

    def test_unreadable_thing_that_was_forwarded(self):
        context = told("unsupported", {"type": "gif"}, context={"forwarded": True}).context

        assert context == f"This message was forwarded. {UNSHOWABLE} (gif)"

    @pytest.mark.parametrize("odd", [5, "x", [], {"id": "x" * 601}, {"id": {}}])
    def test_odd_context_and_referral_cost_nothing(self, odd):
        inbound = told("text", context=odd, referral=odd if not isinstance(odd, dict) else None, errors=odd)

        assert (inbound.text, inbound.quoted_id, inbound.context) == ("Hola", "", "")


class TestSender:
    def test_without_any_id_is_ignored(self):
        inbound = told("text", **{"from": None, "from_user_id": None})

        assert (inbound.ignored, inbound.person) == ("no sender", Person())

    def test_has_no_plus(self):
        assert told("text", **{"from": f"+{LUCIA.wa_id}"}).person == LUCIA

    def test_by_bsuid_only_gets_the_number_from_the_contact(self):
        assert told("text", **{"from": None}).person == LUCIA

    def test_may_be_a_number(self):
        assert told("text", **{"from": int(LUCIA.wa_id)}).person == LUCIA

    @pytest.mark.parametrize("given", [OWN_NUMBER, f"+{OWN_NUMBER}"])
    def test_is_not_ourselves(self, given):
        parsed = through_bytes(
            whatsapp_value(
                messages=[message("text", **{"from": given})],
                metadata={"phone_number_id": NUMBER, "display_phone_number": "+1 (202) 555-0100"},
            )
        )

        inbound = only_inbound(parsed)
        assert (inbound.ignored, inbound.person) == ("from ourselves", Person())

    @pytest.mark.parametrize("kind", ["text", "reaction", "system"])
    def test_in_a_group_is_ignored(self, kind):
        assert told(kind, {"body": "Hola"}, group_id="G1").ignored == "group message"

    def test_is_not_taken_from_a_contact_with_other_ids(self):
        assert told("text", **{"from": "1999", "from_user_id": "US.9"}).person == Person("1999", "US.9")

    def test_name_is_cut_to_fit(self):
        contacts = [
            5,
            {"wa_id": LUCIA.wa_id, "profile": {"name": "\u00f1" * 300, "username": "@" + "u" * 300}},
        ]

        parsed = through_bytes(whatsapp_value(messages=[message()], contacts=contacts))

        person = only_inbound(parsed).person
        assert (person.name, person.username) == ("\u00f1" * 255, "u" * 255)

    @pytest.mark.parametrize(
        "contacts", [None, {}, "x", [{"profile": []}], [{"wa_id": LUCIA.wa_id, "profile": 1}]]
    )
    def test_is_known_without_usable_contacts(self, contacts):
        parsed = through_bytes(whatsapp_value(messages=[message()], contacts=contacts))

        assert only_inbound(parsed).person == Person(wa_id=LUCIA.wa_id, bsuid=LUCIA.bsuid)


class TestIdentity:
    @pytest.mark.parametrize("bad", [None, "", [], "x" * 601])
    def test_message_without_a_usable_id_is_a_problem(self, bad):
        reason = only_problem(whatsapp_messages(message() | {"id": bad})).reason

        assert reason.startswith("messages: Message.id ")

    def test_longest_id_is_kept(self):
        assert told("text", id="x" * 600).provider_message_id == "x" * 600

    @pytest.mark.parametrize("timestamp", [None, "soon", {}, 99999999999999])
    def test_message_without_a_usable_time_is_from_now(self, timestamp):
        assert told("text", timestamp=timestamp).sent_at == NOW
