"""
The copy of a conversation, kept by an OpenAI-compatible server that is not ours.

The simulator was written together with the service, so it may share its errors. Each test ends with one
comparison: the items that SMG holds are the messages of our transcript, each once and in order.
"""

import platform
import sys
from collections.abc import Iterator

import pytest
import requests

from tests import environment
from tests.openai_items import text_of
from tests.rig import Business, Rig, wait_until
from tests.third_party.smg import Smg

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        sys.platform != "linux" or platform.machine() != "x86_64",
        reason="SMG is published as a wheel for Linux on x86_64 only",
    ),
]
_ROLES = {"user": "user", "agent": "assistant"}
_PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="


@pytest.fixture(scope="module")
def _system(_rig) -> Iterator[tuple[Rig, Smg]]:
    """The service with SMG as its OpenAI, started once: the processes take longer than the tests."""
    _rig.start("simulator")
    port, metrics_port = environment.free_ports(2)
    server = Smg(port=port, metrics_port=metrics_port)
    server.start()
    _rig.migrate()
    for name in ("webhook", "web"):
        _rig.start(name)
    for name in ("worker", "sweeper", "extractor"):
        _rig.have(name, OPENAI_BASE_URL=server.base_url)
    yield _rig, server
    _rig.settle()
    server.stop()


@pytest.fixture
def rig(_system, simulator) -> Rig:
    return _system[0]


@pytest.fixture
def smg(_system) -> Smg:
    return _system[1]


@pytest.fixture
def business(rig, smg) -> Business:
    return rig.business()


def write(business: Business, *texts: str) -> None:
    """Send messages of the customer in one webhook, and wait for the reply."""
    business.write(*texts)
    business.wait_until_quiet()


def conversation_at_smg(rig: Rig, business: Business) -> str:
    return rig.value(
        "SELECT openai_conversation_id FROM conversations JOIN customers USING (customer_id)"
        " WHERE phone_number_id = %s",
        business.phone_number_id,
    )


def held_messages(rig: Rig, smg: Smg, business: Business) -> list[tuple[str, str]]:
    """Return role and text of the messages that SMG holds."""
    items = smg.items(conversation_at_smg(rig, business))
    return [(item["role"], text_of(item)) for item in items if item["type"] == "message"]


def transcript(business: Business) -> list[tuple[str, str]]:
    """Return role and text of the messages that were received and of those that were sent."""
    return [
        (_ROLES[message["sender"]], message["text"])
        for message in business.messages()
        if message["sender"] == "user" or message["status"] != "failed"
    ]


def model_input(business: Business) -> list[str]:
    """Return the texts that the model received with the newest request."""
    return [text_of(item) for item in business.asked()[-1]["input"]]


def test_conversation_of_several_turns_and_a_burst_is_held_once_and_in_order(rig, smg, business):
    write(business, "Hello")
    write(business, "Do you bake rye bread?", "And rolls?", "On Sundays?")
    write(business, "Thanks")

    assert len(business.replies()) == 3
    assert held_messages(rig, smg, business) == transcript(business)
    assert model_input(business) == [text for _, text in transcript(business)[:-1]]


def test_messages_that_supersede_a_draft_are_held_once_and_the_draft_is_removed(rig, smg, business):
    rig.simulator.behave(openai={"script": [{"delay": 6}]})
    business.write("One")
    wait_until(lambda: rig.simulator.requests(api="openai", path="/v1/responses"), what="the model is asked")
    business.write("Two")
    business.wait_until_quiet()

    assert business.count("turns", "drafts = 1") == 1
    assert [role for role, _ in transcript(business)] == ["user", "user", "assistant"]
    assert held_messages(rig, smg, business) == transcript(business)


@pytest.mark.parametrize("loss", ["deleted", "restarted"])
def test_lost_conversation_is_rebuilt_with_each_message_once(rig, smg, business, loss):
    for text in ("My name is Ada", "I like rye bread"):
        write(business, text)
    lost = conversation_at_smg(rig, business)
    if loss == "deleted":
        smg.delete_conversation(lost)
    else:
        smg.restart()

    for text in ("Do you have some?", "And tomorrow?", "Thanks"):
        write(business, text)

    assert conversation_at_smg(rig, business) != lost
    assert held_messages(rig, smg, business) == transcript(business)
    assert model_input(business) == [text for _, text in transcript(business)[:-1]]
    assert business.balance() == 1000 - 5


def test_conversation_lost_while_smg_is_away_is_rebuilt_when_it_is_back(rig, smg, business):
    write(business, "My name is Ada")
    smg.stop()
    business.write("Are you there?")
    wait_until(lambda: business.count("turns", "state = 'claimed'"), what="the claim")

    smg.start()
    business.wait_until_quiet()
    write(business, "Thanks")

    assert held_messages(rig, smg, business) == transcript(business)


def test_picture_is_held_with_its_caption_and_reaches_the_model_again_with_the_next_turn(rig, smg, business):
    upload = {"mime_type": "image/png", "data": _PNG}
    media = requests.post(f"{rig.simulator.url}/_simulator/media", json=upload, timeout=60).json()
    image = {"id": media["id"], "mime_type": "image/png", "sha256": "x", "caption": "Is this fresh?"}
    business.tell(business.message("image", image))
    business.wait_until_quiet()

    write(business, "And this?")

    with_picture = [("user", "Is this fresh?\n[picture]"), *transcript(business)[1:]]
    assert held_messages(rig, smg, business) == with_picture
    assert model_input(business) == [text for _, text in with_picture[:-1]]


def test_handover_leaves_call_output_and_handover_message_in_order(rig, smg, business):
    call = {"name": "hand_over", "arguments": {"reason": "wants a refund"}}
    rig.simulator.behave(openai={"script": [{"tool_call": call}]})
    rig.rows(
        "UPDATE agents SET handover_enabled = true, handover_message = 'Ada will answer you.'"
        " WHERE phone_number_id = %s RETURNING 1",
        business.phone_number_id,
    )
    write(business, "A person, please")
    rig.rows(
        "UPDATE customers SET paused_until = NULL WHERE phone_number_id = %s RETURNING 1",
        business.phone_number_id,
    )

    write(business, "Thanks, solved")

    items = smg.items(conversation_at_smg(rig, business))
    assert [item["type"] for item in items] == [
        *("message", "function_call", "function_call_output"),
        *("message", "message", "message"),
    ]
    assert items[1]["call_id"] == items[2]["call_id"]
    assert held_messages(rig, smg, business) == transcript(business)


def test_reply_of_staff_is_held_as_the_assistants(rig, smg, business):
    write(business, "Hello")
    [conversation] = rig.rows(
        "SELECT conversations.conversation_id, conversations.user_id FROM conversations JOIN customers"
        " USING (customer_id) WHERE phone_number_id = %s",
        business.phone_number_id,
    )
    path = f"users/{conversation['user_id']}/conversations/{conversation['conversation_id']}/messages"
    requests.post(
        f"{environment.API_URL}/{path}",
        json={"text": "Ada here: we open at 7."},
        headers={"x-api-key": rig.key(business.user_id)},
        timeout=60,
    ).raise_for_status()
    wait_until(lambda: len(business.replies()) == 2, what="the reply of staff")
    rig.rows(
        "UPDATE customers SET paused_until = NULL WHERE phone_number_id = %s RETURNING 1",
        business.phone_number_id,
    )

    write(business, "Thanks")

    assert ("assistant", "Ada here: we open at 7.") in held_messages(rig, smg, business)
    assert held_messages(rig, smg, business) == transcript(business)
