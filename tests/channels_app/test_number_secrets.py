"""The tokens of deleted numbers go, once nothing needs them."""

import pytest
from django.utils import timezone

from channels_app import number_secrets
from channels_app.models import PhoneNumber
from channels_app.tasks import purge
from tests.factories import DeliveryFactory, PhoneNumberFactory, TurnFactory


@pytest.fixture
def deleted(db) -> PhoneNumber:
    return PhoneNumberFactory(deleted_at=timezone.now())


def has_token(number: PhoneNumber) -> bool:
    return bool(PhoneNumber.objects.get(pk=number.pk).access_token)


class TestWipe:
    def test_takes_the_tokens_of_deleted_numbers_only(self, deleted):
        live = PhoneNumberFactory()

        wiped = [number_secrets.wipe(), number_secrets.wipe()]

        assert wiped == [1, 0]
        assert (has_token(deleted), has_token(live)) == (False, True)

    @pytest.mark.parametrize(("state", "is_kept"), [("claimed", True), ("answered", True), ("done", False)])
    def test_leaves_it_to_a_turn_in_flight(self, deleted, state, is_kept):
        TurnFactory(conversation__customer__phone_number=deleted, state=state)

        number_secrets.wipe()

        assert has_token(deleted) is is_kept

    @pytest.mark.parametrize(
        ("state", "is_kept"),
        [("pending", True), ("sending", True), ("sent", False), ("unknown", False), ("failed", False)],
    )
    def test_leaves_it_to_a_reply_that_is_still_to_be_sent(self, deleted, state, is_kept):
        turn = TurnFactory(conversation__customer__phone_number=deleted, state="done")
        DeliveryFactory(turn=turn, state=state)

        number_secrets.wipe()

        assert has_token(deleted) is is_kept

    def test_of_one_number_leaves_the_others(self, deleted):
        other = PhoneNumberFactory(deleted_at=timezone.now())

        number_secrets.wipe(phone_number_id=deleted.phone_number_id)

        assert (has_token(deleted), has_token(other)) == (False, True)

    def test_is_done_by_the_hourly_purge(self, valkey, deleted):
        purge()

        assert not has_token(deleted)
