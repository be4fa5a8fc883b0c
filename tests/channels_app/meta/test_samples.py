"""Every sample body, and all that it tells."""

import pytest

from channels_app.meta import body
from tests.channels_app.meta.wire import LUCIA, PAYLOADS, SENT_AT, parse_bytes, sample

CDN = "https://lookaside.fbsbx.com/ig_messaging_cdn/?asset_id=18000000000000001&signature=AYexample"
TOO_BIG = (
    "The customer sent something that cannot be shown here (Media file size too big. Max file size we "
    "currently support: 100MB. Please communicate with your customer to send a media file less than 100MB)"
)
AD = (
    "The customer came from an ad: Escr\u00edbenos. Cursos de oto\u00f1o, 20% menos "
    "(https://fb.me/3exampleAd, click id ARexampleClickId0123456789). "
    "They were greeted with: \u00a1Hola! \u00bfEn qu\u00e9 te ayudamos?"
)

# name → (kind, text, context) of each message.
MESSAGES = {
    "wa_text": [("text", "Hola, \u00bftienen clases los s\u00e1bados?", "")],
    "wa_text_without_bsuid": [("text", "Hi", "")],
    "wa_text_long": [("text", " ".join(["Necesito un presupuesto detallado."] * 260), "")],
    "wa_text_reply": [("text", "S\u00ed, ese", "")],
    "wa_text_forwarded": [("text", "Mira esta promo", "This message was forwarded")],
    "wa_text_ctwa_ad": [("text", "Quiero m\u00e1s informaci\u00f3n", AD)],
    "wa_image_caption": [("image", "\u00bfArreglan esto?", "")],
    "wa_audio_voice": [("voice", "", "")],
    "wa_audio_file": [("audio", "", "")],
    "wa_sticker_animated": [("sticker", "", "")],
    "wa_location_place": [
        ("location", "Location: Caf\u00e9 Centro, Av. Ju\u00e1rez 1, CDMX (19.4326, -99.1332)", "")
    ],
    "wa_contacts": [
        ("contacts", "Contact: Marta Gil, +1 (202) 555-0199, marta@example.com, Ejemplo SA", ""),
    ],
    "wa_interactive_button_reply": [("choice", "S\u00e1bado", "")],
    "wa_button_template_quick_reply": [("choice", "No m\u00e1s promos", "")],
    "wa_order": [
        (
            "order",
            "Order: 2 \u00d7 sku-042 at 30.00 USD; 1 \u00d7 sku-043 at 24.50 USD\nPara el viernes",
            "",
        )
    ],
    "wa_unsupported_poll": [
        ("unsupported", "", "The customer sent something that cannot be shown here (poll_creation)")
    ],
    "wa_unsupported_media_too_big": [("unsupported", "", TOO_BIG)],
    "wa_bsuid_only_text": [("text", "Hola sin n\u00famero", "")],
    "wa_batch_two_users": [("text", "uno", ""), ("text", "dos", "")],
    "wa_batch_same_user_burst": [("text", "tres", ""), ("text", "uno", ""), ("text", "dos", "")],
    "wa_batch_mixed": [("text", "a", ""), ("image", "", "")],
    "wa_other_phone_number_id": [("text", "x", "")],
    "ig_text": [("text", "Hola! precio?", "")],
    "ig_text_unicode": [("text", "\u00bfEnv\u00edan a M\u00e9rida? \U0001f60d a/b", "")],
    "ig_text_reply_to_message": [("text", "ese", "")],
    "ig_image": [("image", "", "")],
    "ig_audio": [("audio", "", "")],
    "ig_video": [("video", "", "")],
    "ig_share_post": [("share", "Nuevo producto", "The customer shared a post")],
    "ig_share_story": [("share", CDN, "The customer shared a story")],
    "ig_share_generic": [("share", CDN, "The customer shared something")],
    "ig_story_mention": [("story_mention", "", f"The customer mentioned us in their story: {CDN}")],
    "ig_quick_reply": [("choice", "S\u00e1bado", "")],
    "ig_text_ad_referral": [
        ("text", "info", "The customer came from an ad: Oto\u00f1o (reference camp-1)"),
    ],
    "ig_text_product_referral": [
        ("text", "\u00bfhay talla M?", "The customer asks about product 4500000000000001"),
    ],
    "ig_standby": [("text", "para otra app", "")],
    "ig_batch": [("text", "uno", ""), ("text", "dos", "")],
    "bad_ig_timestamp_string": [("text", "hi", "")],
    "bad_wa_message_without_type": [("text", "x", "")],
    "bad_wa_timestamp_int": [("text", "x", "")],
}
# name → (kind, data) of each event.
EVENTS = {
    "wa_reaction": [("reaction", {"emoji": "\U0001f44d"})],
    "wa_reaction_removed": [("reaction", {"emoji": ""})],
    "wa_system_number_change": [
        (
            "identity",
            {
                "old": {"wa_id": "12025550143", "bsuid": None},
                "new": {"wa_id": "12025550187", "bsuid": None},
            },
        )
    ],
    "wa_value_errors": [("notice", {"code": 130429, "title": "Rate limit hit"})],
    "wa_status_sent": [("status", {"status": "sent", "error": ""})],
    "wa_status_delivered": [("status", {"status": "delivered", "error": ""})],
    "wa_status_read": [("status", {"status": "read", "error": ""})],
    "wa_status_failed_window": [("status", {"status": "failed", "error": "131047: Re-engagement message"})],
    "wa_status_failed_undeliverable": [
        ("status", {"status": "failed", "error": "131026: Message undeliverable"}),
    ],
    "wa_status_with_callback_data": [("status", {"status": "sent", "error": ""})],
    "wa_smb_message_echo": [("echo", {"kind": "text", "text": "Te atiendo yo, soy Ana"})],
    "wa_batch_mixed": [("status", {"status": "delivered", "error": ""})],
    "ig_echo_text": [("echo", {"kind": "text", "text": "\u00a1Claro!"})],
    "ig_reaction": [("reaction", {"emoji": "\u2764\ufe0f"})],
    "ig_unreact": [("reaction", {"emoji": ""})],
    "ig_read": [("read", {})],
    "ig_deleted": [("revoke", {})],
    "ig_edit_with_text": [("edit", {"text": "Hola! precio y env\u00edo?"})],
    "ig_batch": [("read", {}), ("echo", {"kind": "text", "text": "eco"})],
}
PROBLEMS = {
    "bad_ig_sender_missing": ["message: Item.sender missing"],
    "bad_wa_message_without_id": ["messages: Message.id missing"],
    "bad_wa_text_body_null": ["messages: Text.body string_type"],
    "bad_wa_metadata_missing": ["value: Value.metadata missing"],
}
NOTHING = {
    "wa_field_account_update",
    "ig_changes_comment",
    "bad_object_empty",
    "bad_object_unknown",
    "bad_entry_missing",
    "bad_entry_null",
    "bad_wa_changes_missing",
}
UNREADABLE = {
    "bad_json_string",
    "bad_json_number",
    "bad_json_array",
    "bad_empty_body",
    "bad_not_json",
    "bad_truncated_json",
    "bad_invalid_utf8",
}
IGNORED = {"ig_standby": "another app has this conversation"}
MEDIA = {
    "wa_image_caption": ("image", "1003300000000256", "image/jpeg"),
    "wa_audio_voice": ("voice", "1003300000000259", "audio/ogg; codecs=opus"),
    "wa_audio_file": ("audio", "1003300000000260", "audio/mpeg"),
    "wa_sticker_animated": ("sticker", "1003300000000262", "image/webp"),
    "wa_batch_mixed": ("image", "1003300000000299", "image/jpeg"),
    "ig_image": ("image", "", ""),
    "ig_audio": ("audio", "", ""),
    "ig_video": ("video", "", ""),
}
QUOTED = {
    "wa_text_reply",
    "wa_interactive_button_reply",
    "wa_button_template_quick_reply",
    "ig_text_reply_to_message",
}
NAMES = sorted(path.stem for path in PAYLOADS.glob("*.body"))
READABLE = [name for name in NAMES if name not in UNREADABLE]


def test_each_sample_has_an_expectation():
    assert {*MESSAGES} | {*EVENTS} | {*PROBLEMS} | NOTHING | UNREADABLE == {*NAMES}


@pytest.mark.parametrize("name", READABLE)
def test_tells_just_that(name):
    parsed = parse_bytes(sample(name))

    assert [(one.kind, one.text, one.context) for one in parsed.inbound] == MESSAGES.get(name, [])
    assert [(one.kind, one.data) for one in parsed.events] == EVENTS.get(name, [])
    assert [one.reason for one in parsed.problems] == PROBLEMS.get(name, [])
    assert {one.ignored for one in parsed.inbound} <= {IGNORED.get(name, "")}
    media = [(one.kind, one.media_id, one.mime_type) for told in parsed.inbound for one in told.media]
    assert media == ([MEDIA[name]] if name in MEDIA else [])
    assert {bool(one.quoted_id) for one in parsed.inbound} <= {name in QUOTED}


@pytest.mark.parametrize("name", READABLE)
def test_names_the_number_and_the_time(name):
    parsed = parse_bytes(sample(name))

    numbers = {one.phone_number_id for one in (*parsed.inbound, *parsed.events)}
    ours = {"109876543210987"} if name.removeprefix("bad_").startswith("wa") else {"17841400000000001"}
    assert numbers <= ({"999999999999999"} if name == "wa_other_phone_number_id" else ours)
    assert all(0 <= (one.sent_at - SENT_AT).total_seconds() <= 3 for one in parsed.inbound)


@pytest.mark.parametrize("name", sorted(UNREADABLE))
def test_is_no_object(name):
    with pytest.raises(body.UnreadableError):
        parse_bytes(sample(name))


def test_knows_the_customer_by_both_ids():
    assert parse_bytes(sample("wa_text")).inbound[0].person == LUCIA


def test_knows_a_customer_without_a_number():
    person = parse_bytes(sample("wa_bsuid_only_text")).inbound[0].person

    assert (person.wa_id, person.bsuid, person.username) == (None, LUCIA.bsuid, "luciaf")


def test_tells_two_customers_of_one_body_apart():
    people = [one.person.name for one in parse_bytes(sample("wa_batch_two_users")).inbound]

    assert people == [LUCIA.name, "Bruno"]


def test_brings_back_our_callback_data():
    event = parse_bytes(sample("wa_status_with_callback_data")).events[0]

    assert event.callback_data == "outbox:7d0a2c5e"
    assert event.key == f"{event.provider_message_id}:sent"
