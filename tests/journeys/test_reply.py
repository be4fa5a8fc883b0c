"""From webhook to sent reply, through the real processes."""

import random
import time
from itertools import pairwise

import pytest

from tests.rig import wait_until


class TestReply:
    def test_answers_a_message_and_then_a_burst_with_one_reply_each(self, rig):
        business = rig.business()

        assert business.write("Hello") == 200
        business.wait_until_quiet()
        assert business.write("One", "Two", "Three") == 200
        business.wait_until_quiet()

        replies = business.replies()
        assert len(replies) == 2
        assert "Hello" in replies[0]
        assert "One / Two / Three" in replies[1]
        assert business.balance() == 998
        business.check_ledger()

    def test_uses_one_openai_conversation_for_both_turns(self, rig):
        business = rig.business()

        business.write("Hello")
        business.wait_until_quiet()
        business.write("Again")
        business.wait_until_quiet()

        turns = rig.rows("SELECT turn_id FROM turns WHERE phone_number_id = %s", business.phone_number_id)
        asked = [
            request
            for request in rig.simulator.requests(api="openai", path="/v1/responses")
            if request["body"]["metadata"]["turn_id"] in {turn["turn_id"] for turn in turns}
        ]
        conversation_id = business.messages()[0]["conversation_id"]
        opened = [
            request
            for request in rig.simulator.requests(api="openai", path="/v1/conversations")
            if request["body"]["metadata"].get("conversation_id") == conversation_id
        ]
        assert len(opened) == 1
        assert len(asked) == 2
        assert len({request["body"]["conversation"] for request in asked}) == 1

    def test_stores_what_was_said_and_follows_the_reply_until_it_is_read(self, rig):
        business = rig.business()

        business.write("Hello")
        wait_until(
            lambda: [m for m in business.messages() if m["status"] == "read"], what="the reply is read"
        )

        said = [(m["sender"], m["author"], m["sequence_no"], m["status"]) for m in business.messages()]
        assert said == [("user", "customer", 1, "delivered"), ("agent", "ai", 2, "read")]
        assert business.messages()[1]["tokens_used"] > 0
        [send] = business.sends()
        [delivery] = rig.rows("SELECT * FROM deliveries WHERE phone_number_id = %s", business.phone_number_id)
        assert send["body"]["biz_opaque_callback_data"] == delivery["delivery_id"]
        assert delivery["provider_message_id"] in send["provider_ids"]

    def test_carries_one_correlation_id_from_the_webhook_to_both_vendors(self, rig):
        business = rig.business()

        business.write("Hello")
        business.wait_until_quiet()

        [inbound] = rig.rows(
            "SELECT correlation_id FROM inbound_messages WHERE phone_number_id = %s", business.phone_number_id
        )
        [send] = business.sends()
        assert send["headers"]["x-correlation-id"] == inbound["correlation_id"]
        assert rig.simulator.requests(api="openai", path="/v1/responses")[-1]["headers"]["x-correlation-id"]

    def test_opens_a_new_openai_conversation_from_our_transcript_when_the_old_one_is_gone(self, rig):
        business = rig.business()
        business.write("My name is Ada")
        business.wait_until_quiet()

        rig.simulator.reset()
        business.write("Again")
        business.wait_until_quiet()

        assert "Again" in business.replies()[-1]
        told = business.asked()[-1]["input"]
        assert [item["role"] for item in told] == ["user", "assistant", "user"]
        assert told[0]["content"] == "My name is Ada"


@pytest.mark.long
class TestOnce:
    def test_one_body_posted_fifty_times_at_once_is_one_message_one_reply_one_charge(self, rig):
        business = rig.business()
        body = business.body("Hello")

        statuses = business.post_all([body] * 50, parallel=50)
        business.wait_until_quiet()

        assert statuses == [200] * 50
        assert business.count("inbound_messages") == 1
        assert len(business.replies()) == 1
        assert business.balance() == 999

    def test_the_same_body_again_later_does_nothing(self, rig):
        business = rig.business()
        body = business.body("Hello")
        business.post(body)
        business.wait_until_quiet()

        assert business.post(body) == 200
        time.sleep(1)

        assert len(business.replies()) == 1
        assert business.balance() == 999


@pytest.mark.long
class TestOrder:
    CUSTOMERS = 30
    TEXTS = 5

    def _talk(self, business) -> dict[str, list[str]]:
        """Have 30 customers write 5 messages each, all mixed, each customer's own in order."""
        talk = {f"1202555{n:04}": [f"c{n}-m{m}" for m in range(self.TEXTS)] for n in range(self.CUSTOMERS)}
        lines = [
            (wa_id, text, 1_700_000_000 + number)
            for wa_id, texts in talk.items()
            for number, text in enumerate(texts)
        ]
        random.Random(7).shuffle(lines)
        bodies = [business.body(text, wa_id=wa_id, sent_at=at) for wa_id, text, at in lines]
        assert set(business.post_all(bodies)) == {200}
        return talk

    def _assert_each_text_once(self, business, talk) -> None:
        for wa_id, texts in talk.items():
            replies = " ".join(business.replies(wa_id))
            assert [replies.count(text) for text in texts] == [1] * len(texts), replies
        business.check_ledger()
        assert business.balance() == 1000 - business.count("turns")

    def test_a_mixed_burst_of_thirty_customers_is_answered_whole_and_once(self, rig):
        # What joins a turn that is being answered stands behind what was asked already.
        rig.restart("worker", SUPERSEDE_DRAFTS="false")
        rig.restart("sweeper", SUPERSEDE_DRAFTS="false")
        rig.simulator.behave(openai={"latency": {"mean": 0.5, "spread": 0.2}})
        business = rig.business()

        talk = self._talk(business)
        business.wait_until_quiet()

        self._assert_each_text_once(business, talk)
        for wa_id, texts in talk.items():
            for reply in business.replies(wa_id):
                mentioned = [text for text in texts if text in reply]
                assert [reply.index(text) for text in mentioned] == sorted(
                    reply.index(text) for text in mentioned
                )

    def test_with_a_concurrency_of_one_the_whole_number_goes_one_after_the_other(self, rig):
        rig.simulator.behave(openai={"latency": 0.1})
        rig.restart("worker", PHONE_NUMBER_CONCURRENCY="1")
        rig.restart("sweeper", PHONE_NUMBER_CONCURRENCY="1")
        business = rig.business()

        talk = self._talk(business)
        business.wait_until_quiet()

        self._assert_each_text_once(business, talk)
        turns = rig.rows(
            "SELECT created_at, closed_at FROM turns WHERE phone_number_id = %s ORDER BY created_at",
            business.phone_number_id,
        )
        for before, after in pairwise(turns):
            assert before["closed_at"] <= after["created_at"]


@pytest.mark.long
class TestRecovery:
    def test_a_worker_killed_while_the_model_thinks_leaves_exactly_one_reply(self, rig):
        rig.simulator.behave(openai={"script": [{"delay": 10}]})
        business = rig.business()
        business.write("Hello")
        wait_until(lambda: rig.simulator.requests(api="openai", path="responses"), what="the model is asked")

        rig.kill("worker")
        rig.start("worker")
        business.wait_until_quiet()

        assert len(business.replies()) == 1
        assert business.balance() == 999
        [turn] = rig.rows(
            "SELECT state, attempts FROM turns WHERE phone_number_id = %s", business.phone_number_id
        )
        assert turn == {"state": "done", "attempts": 1}

    def test_a_lost_ring_is_rung_again_by_the_sweeper(self, rig):
        rig.stop("worker")
        business = rig.business()
        business.write("Hello")
        time.sleep(1)
        rig.forget_redis()

        rig.start("worker")
        business.wait_until_quiet()

        assert len(business.replies()) == 1

    def test_while_redis_is_away_the_sweeper_answers(self, rig):
        business = rig.business()
        rig.servers.valkey.kill()
        try:
            assert business.write("Hello") == 200
            business.wait_until_quiet()
            assert len(business.replies()) == 1
        finally:
            rig.servers.valkey.start()

        business.write("Again")
        business.wait_until_quiet()
        assert len(business.replies()) == 2


@pytest.mark.long
class TestFailure:
    def test_a_model_that_fails_each_time_costs_nothing_and_the_customer_gets_the_fallback(self, rig):
        rig.simulator.behave(openai={"script": [{"status": 500}] * 3})
        business = rig.business(fallback="Please try later.")

        business.write("Hello")
        business.wait_until_quiet()

        assert business.replies() == ["Please try later."]
        assert business.balance() == 1000
        business.check_ledger()
        assert business.messages()[0]["status"] == "failed"

    def test_a_model_that_fails_twice_is_asked_a_third_time(self, rig):
        rig.simulator.behave(openai={"script": [{"status": 500}, {"status": 429}]})
        business = rig.business()

        business.write("Hello")
        business.wait_until_quiet()

        assert "Hello" in business.replies()[0]
        assert business.balance() == 999

    def test_a_refused_send_fails_the_reply_and_gives_the_credit_back(self, rig):
        rig.simulator.behave(graph={"script": [{"code": 131047}]})
        business = rig.business()

        business.write("Hello")
        business.wait_until_quiet()

        reply = business.messages()[1]
        assert reply["status"] == "failed"
        assert reply["failure_reason"].startswith("131047")
        assert business.balance() == 1000

    def test_a_send_of_unknown_outcome_is_not_repeated_and_proved_by_a_status(self, rig):
        rig.simulator.behave(graph={"script": [{"drop_after_accept": True}]})
        business = rig.business()

        business.write("Hello")
        business.wait_until_quiet()

        wait_until(lambda: business.messages()[1]["status"] == "read", what="the status proves the send")
        assert len(business.sends()) == 1
        assert business.balance() == 999

    def test_without_credits_nothing_is_asked_and_the_message_is_kept(self, rig):
        business = rig.business(credits=1)
        business.write("First")
        business.wait_until_quiet()

        business.write("Second")
        wait_until(lambda: business.count("inbound_messages", "status = 'rejected'"), what="the rejection")

        assert len(business.replies()) == 1
        assert business.balance() == 0
        assert business.messages()[2]["failure_reason"] == "insufficient_credits"
