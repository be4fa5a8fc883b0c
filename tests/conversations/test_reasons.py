"""Reasons: every text that is stored has a stable code."""

import re

import pytest

from channels_app.ignored import IgnoredReason
from conversations import reasons
from conversations.reasons import Reason
from tests.rig import PROJECT

PAGE = (PROJECT / "documentation" / "messages" / "get_messages.md").read_text()
# Codes of errors before a request leaves, or of a reply that nobody can read; see `channels_app.senders`.
OF_SENDERS = {"not_connected", "no_answer", "no_id", "no_token", "no_sender"}


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        ("131056: Too many messages", Reason("131056", "Too many messages")),
        ("131056: Too many: wait", Reason("131056", "Too many: wait")),
        ("131047: ", Reason("131047", "")),
        ("131056: One part; 131047: Another", Reason("131056", "One part")),
        ("131056: One part; ", Reason("131056", "One part")),
        ("131056: Wait; then write", Reason("131056", "Wait; then write")),
        ("no_answer: timed out", Reason("no_answer", "timed out")),
        (
            "model: rate_limit_exceeded",
            Reason("model_failed", "The model gave no reply: rate_limit_exceeded"),
        ),
        (": Only a title", Reason("other", "Only a title")),
        ("An error without a code", Reason("other", "An error without a code")),
        ("", Reason("other", "")),
    ],
)
def test_stored_text_becomes_a_code_and_a_sentence(stored, reason):
    assert reasons.parse(stored) == reason


def test_same_reason_of_several_parts_is_given_once():
    assert reasons.parse("; ".join([reasons.TAKEN_OVER] * 3)) == reasons.parse(reasons.TAKEN_OVER)


@pytest.mark.parametrize("ignored", IgnoredReason)
def test_every_reason_to_ignore_a_message_has_a_code(ignored):
    assert reasons.parse(ignored.value).code == ignored.name.lower()


def test_every_code_is_documented():
    table = PAGE.partition("\n## Reasons\n")[2]
    documented = set(re.findall(r"`([a-z_]+)`", table))

    assert documented >= reasons.CODES | OF_SENDERS


def test_codes_of_senders_are_all_of_them():
    sources = [*(PROJECT / "channels_app" / "senders").glob("*.py"), PROJECT / "conversations" / "posting.py"]
    used = set(
        re.findall(r'code="([a-z_]+)"|"(no_[a-z]+): ', "\n".join(path.read_text() for path in sources))
    )

    assert {one or other for one, other in used} == OF_SENDERS
