"""A conversation is read by hand."""

from http import HTTPStatus

from rest_framework.request import Request
from rest_framework.response import Response

from config.lib.api.problems import conflict, not_found
from config.lib.api.schema import operation
from config.lib.api.serializers import NothingInput
from conversations.api.conversations import ConversationView
from extraction import listing, runs
from extraction.api.serializers import OPENED, TAG, ExtractionSerializer
from extraction.models import Extraction
from extraction.runs import NothingWrittenError

_NOTHING = ("nothing_to_read", "The customer has written nothing in this conversation.")


class ExtractView(ConversationView):
    """A conversation is read for its lead."""

    @operation(
        summary="Read a conversation for its lead",
        description="Starts a reading up to the newest message, without waiting until the conversation is "
        "quiet. If a reading is already open, returns that one. Poll the address in `Location` "
        "until its `status` is `succeeded`, `empty` or `failed`.",
        tag=TAG,
        operation_id="extract_conversation",
        request=NothingInput,
        responses={202: ExtractionSerializer},
        errors={409: [_NOTHING]},
        request_example={},
        response_example=OPENED,
    )
    def post(self, _request: Request, user_id: str, conversation_id: str) -> Response:
        """Start an extraction."""
        self.require_conversation(conversation_id)
        self.read_body(NothingInput)
        try:
            opened = runs.want(conversation_id=conversation_id).pk
        except NothingWrittenError as error:
            raise conflict(*_NOTHING) from error
        row = listing.with_conversation(Extraction.objects.of(user_id)).filter(pk=opened).first()
        if row is None:
            raise not_found("conversation_id")
        return Response(
            ExtractionSerializer(row).data,
            status=HTTPStatus.ACCEPTED,
            headers={"Location": f"/users/{user_id}/extractions/{opened}"},
        )
