"""How readings and leads are shown."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from config.lib.api.serializers import StoredTimestampField
from conversations.api.customer_serializers import EXAMPLE as CUSTOMER
from conversations.api.customer_serializers import CustomerSerializer
from extraction.models import Extraction
from extraction.schema import LEVELS

TAG = "Leads"
EXAMPLE: dict[str, Any] = {
    "extraction_id": "ext_01KB2T7M3G5Q8R9S0T1V2W3X4Y",
    "conversation_id": "cnv_01KB2T7M3G5Q8R9S0T1V2W3X4Y",
    "agent_id": "agt_01KB2T7M3G5Q8R9S0T1V2W3X4Y",
    "phone_number_id": "106540352242922",
    "channel": "whatsapp",
    "customer_phone": "12025550123",
    "customer": CUSTOMER,
    "status": "succeeded",
    "trigger": "quiet",
    "is_current": True,
    "name": "Ada Lovelace",
    "email": "ada@example.com",
    "phone": "+12025550123",
    "company": "Example Engines",
    "intent": "rye bread for the canteen, daily",
    "urgency": 2,
    "budget": 3,
    "fit": 3,
    "engagement": 2,
    "demo_datetime": "2026-11-27T14:00:00Z",
    "demo_source_text": "Friday at 3 pm",
    "smart_notification": "Ada Lovelace of Example Engines wants daily bread; tasting on Friday at 3 pm.",
    "notified_at": "2026-11-24T12:09:00Z",
    "evidence": {"email": {"confidence": 0.97, "messages": ["msg_01KB2T7M3G5Q8R9S0T1V2W3X4Y"]}},
    "corrected": {"company": {"by": "key:9f2c41ab", "at": "2026-11-24T13:00:00Z"}},
    "suggestions": {
        "company": {
            "value": "Engines Inc.",
            "confidence": 0.6,
            "messages": ["msg_01KB2T7M3G5Q8R9S0T1V2W3X4Y"],
        }
    },
    "refused": {"phone": "This is not a valid phone number."},
    "changed": ["name", "email"],
    "reason": "",
    "prompt_id": "",
    "prompt_version": 1,
    "model": "gpt-6-luna",
    "tokens_used": 1840,
    "upto_sequence_no": 12,
    "created_at": "2026-11-24T12:08:55Z",
    "extracted_at": "2026-11-24T12:09:00Z",
}
OPENED: dict[str, Any] = {
    **dict.fromkeys(EXAMPLE),
    **{name: EXAMPLE[name] for name in ("extraction_id", "conversation_id", "agent_id", "phone_number_id")},
    **{name: EXAMPLE[name] for name in ("channel", "customer_phone", "customer", "upto_sequence_no")},
    "status": "waiting",
    "trigger": "manual",
    "is_current": False,
    "tokens_used": 0,
    "prompt_version": 0,
    **dict.fromkeys(("demo_source_text", "reason", "prompt_id", "model"), ""),
    **{name: {} for name in ("evidence", "corrected", "suggestions", "refused")},
    "changed": [],
    **dict.fromkeys(("created_at", "extracted_at"), "2026-11-24T12:08:55Z"),
}


# What model and serializer say no word about, or others would.
_MEANINGS = {
    "extraction_id": "The reading.",
    "status": "The result of the reading.",
    "trigger": "Whether the conversation was read because it went quiet, or by hand.",
    "is_current": "Whether it is the conversation's lead.",
    "name": "The customer's name.",
    "email": "Their e-mail address.",
    "company": "The company they speak for.",
    "intent": "What they want.",
    **LEVELS,
    "demo_datetime": "When they want a demo, a call or a meeting.",
    "notified_at": "When its e-mail was sent; null = there was nothing new to report.",
    "prompt_id": "The prompt that read it; empty = the built-in one.",
    "prompt_version": "That prompt's version.",
    "model": "The model that read it.",
    "upto_sequence_no": "The number of the newest message that is read.",
}


class EvidenceSerializer(serializers.Serializer[Any]):
    """What bears a value out."""

    confidence = serializers.FloatField(help_text="How sure the model was, from 0 to 1.")
    messages = serializers.ListField(
        child=serializers.CharField(), help_text="The ids of the messages that prove it."
    )


class CorrectionSerializer(serializers.Serializer[Any]):
    """Who set a field."""

    by = serializers.CharField(help_text="`key:…` or `staff:…`.")
    at = StoredTimestampField(help_text="When.")


class SuggestionSerializer(EvidenceSerializer):
    """What a reading would have put where a person has set something else."""

    value = serializers.JSONField(help_text="A text, a score or a time.")


def _by_field(shape: type[serializers.Serializer[Any]]) -> Any:
    """Describe an object whose members are fields of a lead; what is in it is shown as it is kept."""

    @extend_schema_field(serializers.DictField(child=shape()))
    class _ByField(serializers.JSONField):
        """An object by field."""

    return _ByField


class _CorrectedField(_by_field(CorrectionSerializer)):  # type: ignore[misc]
    """Corrections by field."""

    def to_representation(self, value: dict[str, Any]) -> dict[str, Any]:
        """Return them with times that end in `Z`."""
        return {name: dict(CorrectionSerializer(entry).data) for name, entry in value.items()}


_Evidence = _by_field(EvidenceSerializer)
_Suggestions = _by_field(SuggestionSerializer)


class ExtractionSerializer(serializers.ModelSerializer[Extraction]):
    """A reading of a conversation; the newest good one is its lead."""

    conversation_id = serializers.CharField(read_only=True, help_text="The conversation that was read.")
    agent_id = serializers.CharField(
        source="conversation.agent_id", read_only=True, help_text="The agent of the conversation."
    )
    phone_number_id = serializers.CharField(source="conversation.customer.phone_number_id", read_only=True)
    channel = serializers.CharField(
        source="conversation.customer.phone_number.type",
        read_only=True,
        help_text="`whatsapp`, `instagram` or `webchat`.",
    )
    customer_phone = serializers.CharField(
        source="conversation.customer_phone",
        read_only=True,
        help_text="The customer's phone number, or their id on the channel.",
    )
    customer = CustomerSerializer(
        source="conversation.customer", read_only=True, help_text="Whose conversation was read."
    )
    phone = serializers.CharField(
        read_only=True, allow_null=True, help_text="A phone number the customer gave (E.164)."
    )
    smart_notification = serializers.CharField(
        read_only=True, allow_null=True, help_text="One or two sentences for the sales person."
    )
    evidence = _Evidence(read_only=True, help_text="For each field, the evidence.")
    corrected = _CorrectedField(read_only=True, help_text="For each field that a person set: who and when.")
    suggestions = _Suggestions(
        read_only=True,
        help_text="For each corrected field, the value that the latest reading would have set.",
    )
    refused = serializers.DictField(
        child=serializers.CharField(),
        read_only=True,
        help_text="For each field, why the model's value was rejected.",
    )
    changed = serializers.ListField(
        child=serializers.CharField(),
        read_only=True,
        help_text="The fields that changed since the lead before.",
    )

    class Meta:
        model = Extraction
        fields: tuple[str, ...] = tuple(EXAMPLE)
        read_only_fields = fields
        extra_kwargs = {name: {"help_text": words} for name, words in _MEANINGS.items()}
