from datetime import timedelta

import pytest
from django.utils import timezone

from billing.ledger import grant
from billing.models import Credit
from extraction import runs
from extraction.models import Extraction
from extraction.runs import LeaseLostError, NothingWrittenError
from tests import racing
from tests.extraction.test_schedule import say, talk
from tests.factories import ConversationFactory


def expire(run) -> None:
    Extraction.objects.filter(pk=run.extraction_id).update(lease_expires_at=timezone.now())


def row(run) -> Extraction:
    return Extraction.objects.get(pk=run.extraction_id)


@pytest.fixture
def wanted(db, valkey):
    return runs.want(conversation_id=talk(messages=2).pk)


@pytest.mark.django_db
class TestWant:
    def test_opens_a_reading_up_to_the_newest_message(self, wanted):
        assert (wanted.status, wanted.trigger, wanted.upto_sequence_no) == ("waiting", "manual", 2)

    def test_gives_the_open_one_when_asked_again(self, wanted):
        again = runs.want(conversation_id=wanted.conversation_id)

        assert again.pk == wanted.pk

    def test_may_read_the_same_again_once_it_has_ended(self, wanted):
        Extraction.objects.update(status="failed")

        again = runs.want(conversation_id=wanted.conversation_id)

        assert (again.pk != wanted.pk, again.upto_sequence_no) == (True, 2)

    def test_refuses_where_the_customer_wrote_nothing(self, valkey):
        made = ConversationFactory(last_sequence_no=1)
        say(made, 1, author="staff")

        with pytest.raises(NothingWrittenError):
            runs.want(conversation_id=made.pk)


@pytest.mark.django_db
class TestClaim:
    def test_takes_up_what_waits(self, wanted):
        run = runs.claim(conversation_id=wanted.conversation_id)

        assert (run.extraction_id, run.upto) == (wanted.pk, 2)
        assert row(run).status == "running"

    def test_leaves_what_somebody_holds(self, wanted):
        runs.claim(conversation_id=wanted.conversation_id)

        assert runs.claim(conversation_id=wanted.conversation_id) is None
        assert runs.unheld(most=9) == []

    def test_takes_over_from_a_holder_that_died(self, wanted):
        dead = runs.claim(conversation_id=wanted.conversation_id)
        expire(dead)
        assert runs.unheld(most=9) == [wanted.conversation_id]

        run = runs.claim(conversation_id=wanted.conversation_id)

        assert (run.extraction_id, row(run).attempts) == (wanted.pk, 1)
        with pytest.raises(LeaseLostError):
            runs.fail(dead, reason="late")
        assert row(run).status == "running"

    def test_gives_up_what_kills_its_holder_each_time(self, wanted):
        for _ in range(runs.MAX_ATTEMPTS):
            expire(runs.claim(conversation_id=wanted.conversation_id))

        assert runs.claim(conversation_id=wanted.conversation_id) is None

        wanted.refresh_from_db()
        assert (wanted.status, wanted.reason) == ("failed", "its worker died each time")

    def test_does_not_count_what_was_handed_back(self, wanted):
        run = runs.claim(conversation_id=wanted.conversation_id)
        runs.hand_back([run.lease_token])

        again = runs.claim(conversation_id=wanted.conversation_id)

        assert row(again).attempts == 0


@pytest.mark.django_db(transaction=True)
class TestClaimAtOnce:
    def test_one_of_many_gets_it(self, valkey):
        wanted = runs.want(conversation_id=talk().pk)

        claimed = []

        ended = racing.at_once(
            *[lambda: claimed.append(runs.claim(conversation_id=wanted.conversation_id))] * 8
        )

        assert ended == ["done"] * 8
        assert len([run for run in claimed if run]) == 1


@pytest.mark.django_db
class TestDefer:
    def test_lets_it_wait_for_as_long_as_openai_asks(self, wanted):
        run = runs.claim(conversation_id=wanted.conversation_id)

        assert runs.defer(run, seconds=60)

        assert runs.claim(conversation_id=wanted.conversation_id) is None
        assert row(run).lease_expires_at > timezone.now() + timedelta(seconds=50)

    def test_is_refused_when_it_waited_for_long_enough(self, wanted):
        Extraction.objects.update(created_at=timezone.now() - timedelta(hours=2))
        run = runs.claim(conversation_id=wanted.conversation_id)

        assert not runs.defer(run, seconds=60)
        assert row(run).lease_token is not None


@pytest.mark.django_db
class TestPrice:
    @pytest.fixture(autouse=True)
    def two_credits(self, settings):
        settings.CREDITS_PER_EXTRACTION = 2

    def balance(self, wanted) -> int:
        return Credit.objects.get(user_id=wanted.user_id).remaining_credits

    def test_is_taken_once_however_often_it_is_claimed(self, wanted):
        before = self.balance(wanted)
        expire(runs.claim(conversation_id=wanted.conversation_id))

        runs.claim(conversation_id=wanted.conversation_id)

        assert self.balance(wanted) == before - 2

    def test_comes_back_when_it_fails(self, wanted):
        before = self.balance(wanted)
        run = runs.claim(conversation_id=wanted.conversation_id)

        runs.fail(run, reason="model: 500")

        assert self.balance(wanted) == before
        assert row(run).reason == "model: 500"

    def test_fails_without_credits_and_can_be_wanted_again(self, wanted, settings):
        settings.CREDITS_PER_EXTRACTION = 1000

        assert runs.claim(conversation_id=wanted.conversation_id) is None

        wanted.refresh_from_db()
        assert (wanted.status, wanted.reason) == ("failed", "insufficient_credits")
        grant(user_id=wanted.user_id, amount=1000, reference=wanted.pk)
        runs.want(conversation_id=wanted.conversation_id)
        assert runs.claim(conversation_id=wanted.conversation_id) is not None
