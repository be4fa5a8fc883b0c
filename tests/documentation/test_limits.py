"""The page of limits states the limits of the code."""

import re

import pytest
from django.conf import settings

from agents import llm, prompt_variables
from agents.api import agents, prompt_serializers, prompt_versions
from billing.webhooks import endpoints, redelivery
from channels_app.meta import body
from channels_app.models import web_chat
from channels_app.senders import instagram, markdown, whatsapp
from channels_app.webchat import chats, files, messages, server_messages, streams
from config.lib.api import failures, parsing, serializers
from conversations import input_budget
from conversations.answering import append_messages, openai_copy
from conversations.api import customer_serializers, replies, usage
from extraction import fields, listing, transcripts, values
from tests.rig import PROJECT

PAGE = " ".join((PROJECT / "documentation" / "limits.md").read_text().split())

STATED = [
    f"{parsing.MOST_BYTES:,} bytes, {parsing.DEEPEST} levels",
    f"{settings.DATA_UPLOAD_MAX_MEMORY_SIZE:,} bytes, {body.MAX_DEPTH} levels",
    f"own server | {server_messages.LARGEST:,} bytes",
    f"a picture in the web chat | {files.MOST_BYTES:,} bytes",
    f"in one answer | {failures.MOST_ERRORS}, of unknown names {serializers.MOST_NAMED} |",
    f"entries of a page | {serializers.PageQuery().fields['limit'].max_value} |",
    f"versions of a prompt in a page | {prompt_versions.MOST_VERSIONS} |",
    f"usage.md) | {usage.MOST_DAYS} |",
    f"[customer](customers/customers.md) | {customer_serializers.LONGEST_EXTERNAL_ID} characters",
    f"at once | {redelivery.MOST:,} |",
    f"endpoints of a business | {endpoints.MOST} |",
    f"no limit: {listing.PAGE} are read",
    f"instructions | {prompt_serializers.LONGEST_INSTRUCTIONS:,} characters",
    f"variables filled in | {prompt_variables.LONGEST_FILLED:,} characters",
    f"variables of a version | {prompt_serializers.MOST_VARIABLES}, each",
    f"name as a variable | {prompt_variables.LONGEST_CUSTOMER_NAME} characters",
    f"the business's {prompt_variables.LONGEST_BUSINESS_NAME} |",
    f"One turn takes {append_messages.MAX_MESSAGES} messages",
    f"voice note says | {input_budget.LONGEST_MESSAGE:,} characters",
    f"text of all messages | {input_budget.LONGEST_INPUT:,} characters",
    f"pictures | {input_budget.MOST_PICTURE_BYTES:,} bytes",
    f"new conversation at OpenAI | {openai_copy.MOST_EARLIER} |",
    f"{transcripts.MOST_MESSAGES} messages are read, {transcripts.LONGEST_MESSAGE:,} characters of each",
    f"and {transcripts.LONGEST_TEXT:,} of all",
    f"a name at {values.LONGEST['name']} characters, a notification at {fields.LONGEST_NOTIFICATION}",
    f"a reply of the model | {llm.LONGEST_REPLY:,} characters",
    f"a reply of staff | {replies.LONGEST_TEXT:,} characters",
    f"such as its fallback | {agents.LONGEST_MESSAGE:,} characters",
    f"an agent's disclosure | {agents.LONGEST_DISCLOSURE} characters",
    f"channel's marks | {markdown.LONGEST_TEXT:,} characters, {markdown.MOST_MARKS:,} marks in one paragraph",
    f"{whatsapp.MAX_LENGTH:,} characters on WhatsApp, {instagram.MAX_BYTES:,} bytes on Instagram",
    f"a visitor's message | {messages.MOST_TEXT:,} characters",
    f"may stand on | {web_chat.MOST_ORIGINS} |",
    f"own texts | {chats.MOST_TEXT} characters",
    f"event streams of a visitor | {streams.MOST_BY_VISITOR} |",
]


class TestLimits:
    @pytest.mark.parametrize("statement", STATED)
    def test_page_states_the_limit_of_the_code(self, statement):
        assert statement in PAGE

    def test_every_row_of_the_page_is_compared_with_the_code(self):
        rows = [
            row
            for row in (PROJECT / "documentation" / "limits.md").read_text().splitlines()
            if re.match(r"\| [^|\s]", row)
        ]
        by_hand = {
            "the text of a quoted message",
            "the reason of a handover",
            "title, subtitle, welcome text",
        }

        unstated = [
            row
            for row in rows
            if not any(statement in f"{row} " for statement in STATED)
            and row.split(" | ")[0][2:] not in by_hand
        ]

        assert unstated == []
