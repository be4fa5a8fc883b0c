"""Leads: what was learned from conversations, and what people set right in them."""

from http import HTTPStatus
from typing import Any

from django.db import transaction
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.access import TenantView
from config.lib.api import etags
from config.lib.api.problems import ProblemError, conflict, not_found
from config.lib.api.schema import operation, page_serializer
from config.lib.api.serializers import IntegerField, StrictSerializer, TextField, TimestampField, filters
from conversations.api.conversations import SHORT_PAGES
from conversations.models import Conversation
from extraction import corrections, listing
from extraction.api.queries import ExtractionListQuery
from extraction.api.serializers import EXAMPLE, TAG, ExtractionSerializer
from extraction.corrections import InvalidCorrectionError, NotCurrentError
from extraction.models import Extraction
from extraction.schema import LEVELS

_NOT_THE_LEAD = (
    "not_the_lead",
    "This is an older reading. Correct the conversation's lead, which is in `extraction_id`.",
)
_INVALID = ("invalid_correction", "This is not a valid e-mail address.")


def _score(name: str) -> IntegerField:
    return IntegerField(min_value=1, max_value=3, allow_null=True, help_text=LEVELS[name])


class CorrectionInput(StrictSerializer):
    """What a person knows better; null = there is none."""

    name = TextField(max_length=100, allow_null=True, help_text="The customer's name.")
    email = TextField(max_length=255, allow_null=True, help_text="Their e-mail address.")
    phone = TextField(
        max_length=60,
        allow_null=True,
        help_text="Their phone number; without a country prefix it is read as one of the customer's own "
        "country.",
    )
    company = TextField(max_length=255, allow_null=True, help_text="The company they speak for.")
    intent = TextField(max_length=100, allow_null=True, help_text="What they want.")
    urgency = _score("urgency")
    budget = _score("budget")
    fit = _score("fit")
    engagement = _score("engagement")
    demo_datetime = TimestampField(allow_null=True, help_text="When the demo is.")


class ExtractionsView(TenantView):
    """The leads of a business."""

    @operation(
        summary="List leads",
        description="The newest good reading of each conversation, newest first; with `history=true` every "
        f"reading. {SHORT_PAGES}",
        tag=TAG,
        operation_id="list_extractions",
        query=ExtractionListQuery,
        responses={200: page_serializer(ExtractionSerializer)},
        response_example={"data": [EXAMPLE], "next_cursor": None},
    )
    def get(self, _request: Request, user_id: str) -> Response:
        """Return a page."""
        query = self.read_query(ExtractionListQuery)
        extractions = listing.extractions(user_id=user_id, **filters(query))
        return self.page(
            extractions.rows,
            query=query,
            order=extractions.order,
            serializer=ExtractionSerializer,
            walked=extractions.walked,
        )


class ExtractionView(TenantView):
    """One reading."""

    def extraction(self, extraction_id: str) -> Extraction:
        """
        Return an extraction of the business.

        :raises ProblemError: 404 if there is none
        """
        row = listing.with_conversation(Extraction.objects.of(self.user_id)).filter(pk=extraction_id).first()
        if row is None:
            raise not_found("extraction_id")
        return row

    @operation(
        summary="Get a lead",
        description="Returns a reading, also one that is waiting, has failed or found nothing.",
        tag=TAG,
        operation_id="get_extraction",
        responses={200: ExtractionSerializer},
        response_example=EXAMPLE,
    )
    def get(self, _request: Request, user_id: str, extraction_id: str) -> Response:  # noqa: ARG002  (the URL's)
        """Answer it."""
        return etags.tagged(_data(self.extraction(extraction_id)))

    @operation(
        summary="Correct a lead",
        description="Changes only the fields you send, all of them or none. Your values win over later "
        "readings, whose values become suggestions. Only the lead of a conversation can be "
        "corrected, not older readings.",
        tag=TAG,
        operation_id="update_extraction",
        request=CorrectionInput(partial=True),
        responses={200: ExtractionSerializer},
        errors={409: [_NOT_THE_LEAD], 422: [_INVALID]},
        if_match=True,
        request_example={"company": "Example Engines", "budget": None},
        response_example=EXAMPLE,
    )
    @transaction.atomic
    def patch(self, request: Request, user_id: str, extraction_id: str) -> Response:
        """Correct it."""
        conversation_id = self.extraction(extraction_id).conversation_id
        changes = self.read_body(CorrectionInput, partial=True)
        # As whoever ends a reading of it does, so that what is compared is what is changed.
        Conversation.objects.of(user_id).select_for_update(no_key=True, of=("self",)).get(pk=conversation_id)
        row = self.extraction(extraction_id)
        if row.is_current:
            etags.check(request, _data(row))
        _correct(extraction_id, changes, self.caller.actor)
        return etags.tagged(_data(self.extraction(extraction_id)))


def _data(row: Extraction) -> dict[str, Any]:
    data: dict[str, Any] = ExtractionSerializer(row).data
    return data


def _correct(extraction_id: str, changes: dict[str, Any], actor: str) -> None:
    """Set fields right, and tell in the API's words what is wrong."""
    try:
        corrections.correct(extraction_id=extraction_id, changes=changes, actor=actor)
    except NotCurrentError as error:
        raise conflict(*_NOT_THE_LEAD, extraction_id=error.current_extraction_id) from error
    except InvalidCorrectionError as error:
        at_fault = {"field": error.field, "code": error.code, "detail": error.detail}
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY, _INVALID[0], error.detail, extra={"errors": [at_fault]}
        ) from error
