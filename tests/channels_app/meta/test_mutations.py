"""Bodies with anything in them bent out of shape."""

import copy
import json
from dataclasses import asdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels_app.meta import body
from tests.channels_app.meta.test_samples import READABLE
from tests.channels_app.meta.wire import (
    instagram_items,
    item,
    message,
    parse_bytes,
    sample,
    whatsapp_messages,
)

KINDS = {
    "text", "image", "video", "audio", "voice", "document", "sticker", "location", "contacts", "choice",
    "form", "order", "share", "story_reply", "story_mention", "unsupported", "unknown",
}  # fmt: skip
EVENT_KINDS = {"status", "read", "reaction", "edit", "revoke", "echo", "identity", "notice"}
BODIES = [body.read(sample(name)) for name in READABLE]
WHATSAPP = [
    found
    for each in BODIES
    for entry in each.get("entry") or []
    for change in entry.get("changes") or []
    if change["field"] == "messages"
    for found in change["value"].get("messages", [])
] + [
    message("edit", {"original_message_id": "o", "message": {"type": "text", "text": {"body": "x"}}}),
    message("revoke", {"original_message_id": "o"}),
    message("interactive", {"type": "nfm_reply", "nfm_reply": {"response_json": '{"a":1}'}}),
    message("interactive", {"type": "list_reply", "list_reply": {"id": "1", "title": "t"}}),
    message("system", {"type": "user_changed_user_id", "user_id": "US.9", "previous_user_id": "US.8"}),
    message("document", {"id": "1", "filename": "f"}, context={"forwarded": True}, referral={"body": "b"}),
]
INSTAGRAM = [
    found
    for each in BODIES
    if each.get("object") == "instagram"
    for entry in each.get("entry") or []
    for found in entry.get("messaging", [])
] + [item(postback={"mid": "m", "title": "t"})]
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from(
        [10**400, 1e308, -0.0, "", "0", "\x00", "\ud800", "x" * 700, [], {}, [None], {"id": None}]
    ),
    st.text(max_size=5),
    st.recursive(
        st.none() | st.text(max_size=3) | st.integers(),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(st.sampled_from(["id", "type", "text", "body"]), inner, max_size=2)
        ),
        max_leaves=4,
    ),
)


def places(value, path=()):
    """All the paths into a value, itself left out."""
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, child in children:
        yield (*path, key)
        yield from places(child, (*path, key))


@st.composite
def mutated(draw, values):
    """One of `values` with up to three nodes replaced, removed or doubled."""
    value = copy.deepcopy(draw(st.sampled_from(values)))
    for _ in range(draw(st.integers(1, 3))):
        found = list(places(value))
        if not found:
            break
        *above, last = draw(st.sampled_from(found))
        owner = value
        for key in above:
            owner = owner[key]
        how = draw(st.sampled_from(["replace", "replace", "remove", "double"]))
        if how == "replace":
            owner[last] = copy.deepcopy(draw(JUNK))
        elif how == "remove":
            del owner[last]
        elif isinstance(owner, list):
            owner.append(copy.deepcopy(owner[last]))
        else:
            owner[last] = [owner[last], owner[last]]
    return value


def assert_can_be_kept(parsed):
    """All of it fits the columns it is for."""
    told = [asdict(one) for one in (*parsed.inbound, *parsed.events, *parsed.problems)]
    kept = json.dumps(told, default=str, ensure_ascii=False, allow_nan=False).encode()
    assert b"\\u0000" not in kept
    for one in (*parsed.inbound, *parsed.events):
        assert 0 < len(one.phone_number_id) <= 50
        assert len(one.provider_message_id) <= body.MAX_ID_LENGTH
    for person in (one.person for one in (*parsed.inbound, *parsed.events) if one.person):
        assert len(person.wa_id or "") <= 50
        assert len(person.bsuid or "") <= 150
        assert len(person.ig_id or "") <= 100
        assert max(len(person.name), len(person.username)) <= 255
    for inbound in parsed.inbound:
        assert inbound.kind in KINDS
        assert inbound.provider_message_id
        assert inbound.ignored or inbound.person.is_known
    for event in parsed.events:
        assert event.kind in EVENT_KINDS
        assert event.key
        assert len(event.callback_data) <= 512
        assert event.person is None or event.person.is_known


@settings(max_examples=400, deadline=None)
@given(mutated(BODIES))
def test_a_body_bent_out_of_shape_never_raises(payload):
    assert_can_be_kept(parse_bytes(json.dumps(payload).encode()))


@settings(max_examples=300, deadline=None)
@given(mutated(WHATSAPP), st.booleans())
def test_a_bad_whatsapp_message_costs_no_other_and_is_never_lost(bent, first):
    good = message("image", {"id": "1", "caption": "Hola"}, id="wamid.GOOD")
    alone = whatsapp_messages(good).inbound[0]

    parsed = whatsapp_messages(*([bent, good] if first else [good, bent]))

    assert alone in parsed.inbound
    assert len(parsed.inbound) + len(parsed.events) + len(parsed.problems) == 2
    assert_can_be_kept(parsed)


@settings(max_examples=300, deadline=None)
@given(mutated(INSTAGRAM), st.booleans())
def test_a_bad_instagram_item_costs_no_other(bent, first):
    good = item(message={"mid": "mid.GOOD", "text": "Hola"})
    alone = instagram_items(good).inbound[0]

    parsed = instagram_items(*([bent, good] if first else [good, bent]))

    assert alone in parsed.inbound
    assert len(parsed.inbound) + len(parsed.events) + len(parsed.problems) <= 2
    assert_can_be_kept(parsed)


@pytest.mark.parametrize("payload", BODIES)
def test_each_sample_can_be_kept(payload):
    assert_can_be_kept(parse_bytes(json.dumps(payload).encode()))
