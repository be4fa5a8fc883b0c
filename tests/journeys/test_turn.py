"""What happens around a turn: the customer writes on, a person takes over, the credits are out."""

import time

import pytest

from tests.openai_items import text_of
from tests.rig import wait_until

pytestmark = pytest.mark.long


def change_agent(rig, business, **changes) -> None:
    for column, value in changes.items():
        rig.rows(
            f"UPDATE agents SET {column} = %s WHERE phone_number_id = %s RETURNING 1",
            value,
            business.phone_number_id,
        )


# The model thinks about its first reply for so long that something can happen meanwhile, on any machine.
THINKS_FIRST = {"script": [{"delay": 6}]}


def wait_for_the_call(business) -> None:
    wait_until(business.asked, what="the model is asked")


def customer_of(rig, business) -> str:
    return rig.value("SELECT customer_id FROM customers WHERE phone_number_id = %s", business.phone_number_id)


def pause(rig, business) -> None:
    rig.rows(
        "UPDATE customers SET paused_until = now() + interval '1 hour' WHERE customer_id = %s RETURNING 1",
        customer_of(rig, business),
    )


def resume(rig, business) -> None:
    rig.rows(
        "UPDATE customers SET paused_until = NULL WHERE customer_id = %s RETURNING 1",
        customer_of(rig, business),
    )


def deleted_items(rig) -> list[str]:
    return [
        r["path"] for r in rig.simulator.requests(api="openai", path="/items/") if r["method"] == "DELETE"
    ]


class TestWritingOn:
    def test_joins_the_turn_and_the_draft_is_thrown_away(self, rig):
        rig.simulator.behave(openai=THINKS_FIRST)
        business = rig.business()

        business.write("One")
        wait_for_the_call(business)
        business.write("Two")
        business.wait_until_quiet()

        [reply] = business.replies()
        assert "One / Two" in reply
        assert [len(request["input"]) for request in business.asked()] == [1, 1]
        assert business.balance() == 999
        assert business.count("turns", "state = 'done' AND drafts = 1") == 1
        [draft] = deleted_items(rig)
        assert draft.startswith("/v1/conversations/")

    def test_happens_twice_at_most(self, rig):
        rig.simulator.behave(openai={"latency": 1})
        business = rig.business()

        business.write("Message 0")
        for n in range(1, 7):
            time.sleep(0.7)
            business.write(f"Message {n}")
        business.wait_until_quiet()

        sql = "SELECT max(drafts) FROM turns WHERE phone_number_id = %s"
        assert rig.value(sql, business.phone_number_id) <= 2
        said = " ".join(business.replies())
        assert [said.count(f"Message {n}") for n in range(7)] == [1] * 7
        assert business.balance() == 1000 - len(business.replies())
        business.check_ledger()

    def test_is_answered_apart_where_drafts_are_not_superseded(self, rig):
        rig.restart("worker", SUPERSEDE_DRAFTS="false")
        rig.restart("sweeper", SUPERSEDE_DRAFTS="false")
        rig.simulator.behave(openai=THINKS_FIRST)
        business = rig.business()

        business.write("One")
        wait_for_the_call(business)
        business.write("Two")
        business.wait_until_quiet()

        assert ["One" in reply for reply in business.replies()] == [True, False]
        assert business.balance() == 998


class TestHandover:
    @pytest.fixture
    def handed_over(self, rig):
        call = {"tool_call": {"name": "hand_over", "arguments": {"reason": "wants a refund"}}}
        rig.simulator.behave(openai={"script": [call]})
        business = rig.business()
        change_agent(rig, business, handover_enabled=True, handover_message="Ada will answer you.")
        business.write("A person, please")
        business.wait_until_quiet()
        return business

    def test_tells_the_customer_pauses_flags_and_notes_an_event(self, rig, handed_over):
        assert handed_over.replies() == ["Ada will answer you."]
        assert handed_over.asked()[0]["tools"][0]["name"] == "hand_over"
        [conversation] = rig.rows(
            "SELECT handover_at, handover_reason FROM conversations JOIN customers USING (customer_id)"
            " WHERE phone_number_id = %s AND paused_until > now()",
            handed_over.phone_number_id,
        )
        assert conversation["handover_at"] is not None
        assert conversation["handover_reason"] == "wants a refund"
        events = rig.rows("SELECT type, data FROM events WHERE user_id = %s", handed_over.user_id)
        assert [event["type"] for event in events] == ["conversation.handover"], events
        assert handed_over.balance() == 999

    def test_leaves_no_call_without_output_behind(self, rig, handed_over):
        handed_over.write("Are you there?")
        wait_until(lambda: len(handed_over.messages()) == 3, what="the message is visible at once")
        assert handed_over.count("inbound_messages", "status = 'done'") == 2
        assert len(handed_over.replies()) == 1

        resume(rig, handed_over)
        handed_over.write("Thanks, solved")
        handed_over.wait_until_quiet()

        asked = handed_over.asked()[-1]["input"]
        assert [item.get("type") for item in asked] == ["function_call_output", "message", "message", None]
        assert [text_of(item) for item in asked[1:3]] == ["Ada will answer you.", "Are you there?"]
        assert "Thanks, solved" in handed_over.replies()[-1]
        assert handed_over.balance() == 998

    def test_of_a_model_that_calls_another_tool_is_none(self, rig):
        rig.simulator.behave(openai={"script": [{"tool_call": {"name": "drop_tables"}}]})
        business = rig.business()

        business.write("Hello")
        business.wait_until_quiet()

        assert "There is no such tool" in business.replies()[0]
        assert len(business.asked()) == 2
        assert business.balance() == 999

    def test_of_a_model_that_does_nothing_but_call_tools_is_a_failure(self, rig):
        rig.simulator.behave(openai={"script": [{"tool_call": {"name": "x"}}] * 5})
        business = rig.business(fallback="Later.")

        business.write("Hello")
        business.wait_until_quiet()
        assert business.replies() == ["Later."]
        assert business.balance() == 1000

        rig.simulator.behave(openai={"script": []})
        business.write("Again")
        business.wait_until_quiet()
        assert "Again" in business.replies()[1]


class TestTakingOver:
    def test_while_the_model_thinks_cancels_the_reply_and_gives_the_credit_back(self, rig):
        rig.simulator.behave(openai=THINKS_FIRST)
        business = rig.business()
        business.write("Hello")
        wait_for_the_call(business)

        pause(rig, business)
        business.wait_until_quiet()

        assert business.sends() == []
        assert business.balance() == 1000
        reply = business.messages()[1]
        assert (reply["author"], reply["status"], reply["failure_reason"]) == (
            "ai",
            "failed",
            "a person took over",
        )
        assert business.count("turns", "state = 'done'") == 1

    def test_leaves_nothing_in_openais_copy_that_was_not_said(self, rig):
        rig.simulator.behave(openai=THINKS_FIRST)
        business = rig.business()
        business.write("Hello")
        wait_for_the_call(business)
        pause(rig, business)
        business.wait_until_quiet()

        resume(rig, business)
        rig.simulator.behave(openai={"latency": 0})
        business.write("Still there?")
        business.wait_until_quiet()

        assert len(deleted_items(rig)) == 1
        assert "Hello / Still there?" in business.replies()[0]
        assert business.balance() == 999

    def test_before_the_model_is_asked_costs_nothing(self, rig):
        business = rig.business()
        business.write("First")
        business.wait_until_quiet()
        pause(rig, business)

        business.write("Second")
        wait_until(lambda: len(business.messages()) == 3, what="the message is visible")

        assert business.is_quiet()
        assert len(business.asked()) == 1
        assert business.balance() == 999


class TestWithoutCredits:
    def test_the_customer_is_told_once_a_day_and_a_retry_after_a_top_up_works(self, rig):
        business = rig.business(credits=0)
        change_agent(rig, business, unavailable_message="We are closed.")

        for text in ("First", "Second"):
            business.write(text)
            wait_until(
                lambda: business.count("inbound_messages", "status = 'pending'") == 0, what="the rejection"
            )
            business.wait_until_quiet()

        assert business.replies() == ["We are closed."]
        assert business.asked() == []
        assert business.count("inbound_messages", "status = 'rejected'") == 2
        assert business.balance() == 0

    def test_fifty_turns_at_once_are_answered_as_far_as_they_go(self, rig):
        business = rig.business(credits=10)

        business.post_all([business.body("Hello", wa_id=f"1202555{n:04}") for n in range(50)], parallel=50)
        business.wait_until_quiet()

        assert len(business.replies()) == 10
        assert business.count("inbound_messages", "status = 'rejected'") == 40
        assert business.balance() == 0
        business.check_ledger()
