"""A key never makes a key with more rights; revoking may take its descendants along."""

from datetime import timedelta

import pytest
from django.db import IntegrityError
from django.utils import timezone

from billing import key_descendants, keys
from billing.key_rights import Rights, RightsExceededError
from billing.keys import KeyEndedError, KeyNotFoundError
from billing.models import ApiKey
from config.lib import actors
from config.lib.actors import Actor, ActorKind
from tests.factories import PhoneNumberFactory, UserFactory

pytestmark = pytest.mark.django_db
SOON, LATER = timedelta(hours=1), timedelta(hours=2)


@pytest.fixture
def user():
    return UserFactory()


def made(user, **rights) -> ApiKey:
    return keys.create(user_id=user.pk, name="test", **rights)[0]


def by(key: ApiKey):
    return actors.acting(Actor(ActorKind.KEY, key.prefix))


class TestCreating:
    def test_key_keeps_who_made_it(self, user):
        parent = made(user)

        with by(parent):
            child = made(user)
        with actors.acting(Actor(ActorKind.STAFF, "otto")):
            by_staff = made(user)

        assert (child.parent, child.created_by) == (parent, f"key:{parent.pk}")
        assert (by_staff.parent, by_staff.created_by) == (None, "admin:otto")

    def test_key_ends_no_later_than_the_key_that_makes_it(self, user):
        end = timezone.now() + SOON

        with by(made(user, expires_at=end)):
            without_end = made(user)
            with pytest.raises(RightsExceededError):
                made(user, expires_at=end + SOON)

        assert without_end.expires_at == end

    def test_key_has_no_wider_scope_than_the_key_that_makes_it(self, user):
        for own, wanted in (("read", "write"), ("read", "full"), ("write", "full")):
            with by(made(user, scope=own)), pytest.raises(RightsExceededError):
                made(user, scope=wanted)
        with by(made(user, scope="write")):
            assert made(user, scope="read").scope == "read"

    def test_key_has_no_fewer_restrictions_than_the_key_that_makes_it(self, user):
        own, other = (PhoneNumberFactory(user=user).pk for _ in range(2))

        with by(made(user, phone_number_ids=[own])):
            for wanted in (None, [other], [own, other]):
                with pytest.raises(RightsExceededError):
                    made(user, phone_number_ids=wanted)
            assert made(user, phone_number_ids=[own]).phone_number_ids == [own]

    def test_key_that_ended_meanwhile_makes_none(self, user):
        parent = made(user)
        keys.revoke(user_id=user.pk, prefix=parent.pk)

        with by(parent), pytest.raises(KeyNotFoundError):
            made(user)

    @pytest.mark.parametrize("numbers", [[], ["1"]])
    def test_database_refuses_a_restriction_to_nothing_and_of_an_operator(self, user, numbers):
        with pytest.raises(IntegrityError):
            ApiKey.objects.create(
                prefix="x", hashed_key="", user=None if numbers else user, phone_number_ids=numbers
            )

    def test_key_from_before_has_all_rights(self, user):
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO api_keys (prefix, hashed_key, user_id, name, created_at)"
                " VALUES ('old', '', %s, '', now())",
                [user.pk],
            )

        old = ApiKey.objects.get(pk="old")
        assert (old.scope, old.phone_number_ids, old.parent, old.created_by) == ("full", None, None, "")


class TestRotating:
    def test_new_key_inherits_end_scope_and_numbers(self, user):
        number, end = PhoneNumberFactory(user=user).pk, timezone.now() + SOON
        old = made(user, scope="write", phone_number_ids=[number], expires_at=end)

        new, _ = keys.rotate(user_id=user.pk, prefix=old.pk, grace=timedelta())

        assert (new.scope, new.phone_number_ids, new.expires_at) == ("write", [number], end)
        assert new.replaces == old

    def test_expiring_key_does_not_lengthen_its_own_life(self, user):
        end = timezone.now() + SOON
        old = made(user, expires_at=end)

        with by(old):
            with pytest.raises(RightsExceededError):
                keys.rotate(user_id=user.pk, prefix=old.pk, grace=LATER, expires_at=end + SOON)
            new, _ = keys.rotate(user_id=user.pk, prefix=old.pk, grace=LATER)

        old.refresh_from_db()
        assert (new.expires_at, old.expires_at, new.parent) == (end, end, old)

    def test_end_may_be_shortened(self, user):
        old = made(user, expires_at=timezone.now() + LATER)
        end = timezone.now() + SOON

        new, _ = keys.rotate(user_id=user.pk, prefix=old.pk, grace=timedelta(), expires_at=end)

        assert new.expires_at == end

    def test_expiring_key_gives_no_longer_life_to_a_key_without_end(self, user):
        end = timezone.now() + SOON

        with by(made(user, expires_at=end)):
            new, _ = keys.rotate(user_id=user.pk, prefix=made_without_end(user).pk, grace=timedelta())

        assert new.expires_at == end

    def test_key_with_narrow_rights_does_not_rotate_one_with_more(self, user):
        strong = made(user)

        with by(made(user, scope="write")), pytest.raises(RightsExceededError):
            keys.rotate(user_id=user.pk, prefix=strong.pk, grace=timedelta())

    def test_key_that_was_rotated_revoked_or_expired_is_refused_with_the_reason(self, user):
        rotated, revoked = made(user), made(user)
        expired = made(user, expires_at=timezone.now() - SOON)
        keys.rotate(user_id=user.pk, prefix=rotated.pk, grace=SOON)
        keys.revoke(user_id=user.pk, prefix=revoked.pk)

        codes = []
        for key in (rotated, revoked, expired):
            with pytest.raises(KeyEndedError) as error:
                keys.rotate(user_id=user.pk, prefix=key.pk, grace=SOON)
            codes.append(error.value.code)

        assert codes == ["api_key_rotated", "api_key_revoked", "api_key_expired"]


def made_without_end(user) -> ApiKey:
    with actors.acting(actors.SYSTEM):
        return made(user)


class TestRevoking:
    def test_descendants_are_revoked_if_wanted(self, user):
        stolen, bystander = made(user), made(user)
        with by(stolen):
            child = made(user)
            itself_rotated, _ = keys.rotate(user_id=user.pk, prefix=stolen.pk, grace=SOON)
        with by(child):
            grandchild = made(user)
        with by(bystander):
            replaced_by_owner = made(user)

        assert key_descendants.working(stolen.pk) == sorted([child.pk, itself_rotated.pk, grandchild.pk])
        ended = keys.revoke(user_id=user.pk, prefix=stolen.pk, descendants=True)

        assert set(ended) == {stolen.pk, child.pk, itself_rotated.pk, grandchild.pk}
        working = {key.pk for key in ApiKey.objects.all() if key.works(timezone.now())}
        assert working == {bystander.pk, replaced_by_owner.pk}

    def test_descendants_work_on_otherwise(self, user):
        parent = made(user)
        with by(parent):
            child = made(user)

        keys.revoke(user_id=user.pk, prefix=parent.pk)

        child.refresh_from_db()
        assert child.works(timezone.now())

    def test_descendants_can_be_revoked_after_the_key_ended(self, user):
        parent = made(user)
        with by(parent):
            child = made(user)
        keys.revoke(user_id=user.pk, prefix=parent.pk)

        assert keys.revoke(user_id=user.pk, prefix=parent.pk, descendants=True) == [child.pk]
        with pytest.raises(KeyNotFoundError):
            keys.revoke(user_id=user.pk, prefix=parent.pk)


class TestRights:
    def test_rights_are_within_themselves(self):
        rights = Rights("write", ["1"], timezone.now())

        assert rights.within(rights) == rights
