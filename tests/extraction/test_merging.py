"""How a lead gets better from reading to reading."""

from datetime import UTC, datetime

import pytest

from extraction import merging
from extraction.models import FIELDS, Extraction
from tests.extraction.talks import found, line, talk

AT = datetime(2026, 11, 25, 14, tzinfo=UTC)
CORRECTED = {"by": "key_1", "at": "2026-11-24T12:00:00+00:00"}


def lead(*, confidence=0.8, **facts) -> Extraction:
    """A lead that read up to message 5, each field from message 1."""
    return Extraction(
        **{
            "status": "succeeded",
            "upto_sequence_no": 5,
            "evidence": {
                name: {"confidence": confidence, "messages": ["msg_1"]} for name in facts if name in FIELDS
            },
            **facts,
        }
    )


def values(**known):
    return {**dict.fromkeys(FIELDS), **known}


class TestMerge:
    def test_takes_what_a_first_reading_found(self):
        merged = merging.merge(found(name="Ada", urgency=3), None)

        assert merged.values == values(name="Ada", urgency=3)
        assert merged.evidence["name"] == {"confidence": 0.9, "messages": ["msg_1"]}
        assert merged.changed == ["name", "urgency"]

    def test_keeps_what_was_not_found_again(self):
        before = lead(name="Ada", demo_datetime=AT, demo_source_text="at 3")

        merged = merging.merge(found(email="ada@example.com"), before)

        assert merged.values == values(name="Ada", email="ada@example.com", demo_datetime=AT)
        assert merged.evidence["name"] == before.evidence["name"]
        assert merged.demo_source_text == "at 3"
        assert merged.changed == ["email"]

    @pytest.mark.parametrize(
        ("newest", "confidence", "kept"),
        [(6, 0.1, "Grace"), (5, 0.8, "Grace"), (5, 0.9, "Grace"), (5, 0.79, "Ada")],
    )
    def test_replaces_a_value_by_newer_words_or_if_it_is_as_sure(self, newest, confidence, kept):
        merged = merging.merge(found(name="Grace", newest=newest, confidence=confidence), lead(name="Ada"))

        assert merged.values["name"] == kept
        assert merged.evidence["name"]["messages"] == ["msg_1" if kept == "Ada" else f"msg_{newest}"]

    def test_takes_another_demo_with_its_words(self):
        new = found(demo_datetime=AT.replace(hour=16), newest=6)
        new.demo_source_text = "rather at 5"

        merged = merging.merge(new, lead(demo_datetime=AT, demo_source_text="at 3"))

        assert (merged.values["demo_datetime"].hour, merged.demo_source_text) == (16, "rather at 5")

    def test_changes_nothing_by_finding_the_same(self):
        assert merging.merge(found(name="Ada", newest=6), lead(name="Ada")).changed == []

    @pytest.mark.parametrize("set_to", ["Ada Lovelace", None])
    def test_never_overwrites_what_a_person_set(self, set_to):
        before = lead(name=set_to, corrected={"name": CORRECTED})

        merged = merging.merge(found(name="Grace", newest=6), before)

        assert merged.values["name"] == set_to
        assert merged.changed == []
        assert merged.corrected == {"name": CORRECTED}
        assert merged.suggestions == {"name": {"value": "Grace", "confidence": 0.9, "messages": ["msg_6"]}}

    def test_suggests_a_time_as_it_is_in_json(self):
        before = lead(demo_datetime=None, corrected={"demo_datetime": CORRECTED})

        merged = merging.merge(found(demo_datetime=AT), before)

        assert merged.suggestions["demo_datetime"]["value"] == "2026-11-25T14:00:00Z"

    def test_drops_a_suggestion_once_the_reading_agrees_with_the_person(self):
        before = lead(name="Ada", corrected={"name": CORRECTED}, suggestions={"name": {"value": "Grace"}})

        assert merging.merge(found(name="Ada"), before).suggestions == {}
        assert merging.merge(found(), before).suggestions == {"name": {"value": "Grace"}}
        assert before.suggestions == {"name": {"value": "Grace"}}


class TestIsLead:
    @pytest.mark.parametrize(
        "known",
        [
            *({"name": "Ada"}, {"email": "a@example.com"}, {"phone": "+12025550143"}, {"company": "Acme"}),
            *({"intent": "Cake"}, {"demo_datetime": AT}),
        ],
    )
    def test_is_whoever_can_be_called_or_wants_something(self, known):
        assert merging.is_lead(values(**known), talk("I'm Ada"))

    @pytest.mark.parametrize("known", [{}, {"urgency": 3, "budget": 3, "fit": 3, "engagement": 3}])
    def test_is_nobody_by_scores_alone(self, known):
        assert not merging.is_lead(values(**known), talk("Hello"))

    def test_is_nobody_by_what_the_channel_tells(self):
        transcript = talk(
            "Hello", line(2, "Hello Ada", "ai"), customer_name="Ada", customer_phone="+12025550143"
        )
        known = values(name="Ada", phone="+12025550143")

        assert not merging.is_lead(known, transcript)
        assert merging.is_lead(known, transcript, corrected={"phone"})
        assert merging.is_lead(known, talk("I'm Ada", customer_name="Ada"))
