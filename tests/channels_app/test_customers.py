"""A person is one row, by whatever ids they are known."""

from itertools import permutations, product

import pytest

from channels_app import customers
from channels_app.meta.types import Person
from channels_app.models import Customer
from tests.factories import CustomerFactory

NUMBER = "1"


def resolve(*people: Person, number: str = NUMBER) -> list[Customer]:
    found = customers.resolve((number, person) for person in people)
    return [Customer.objects.get(pk=found[number, person]) for person in people]


class TestResolve:
    def test_makes_a_customer_with_all_that_is_known(self, db):
        person = Person(wa_id="1202", bsuid="US.1", name="Ada", username="ada")

        [customer] = resolve(person)

        assert (customer.wa_id, customer.bsuid, customer.ig_id) == ("1202", "US.1", None)
        assert (customer.name, customer.username, customer.phone_number_id) == ("Ada", "ada", NUMBER)
        assert customer.address == "1202"

    def test_finds_the_customer_again(self, db):
        assert resolve(Person(wa_id="1202")) == resolve(Person(wa_id="1202"))

    def test_knows_a_customer_by_bsuid_alone(self, db):
        [customer] = resolve(Person(bsuid="US.1"))

        assert resolve(Person(bsuid="US.1")) == [customer]
        assert customer.address == "US.1"

    def test_learns_the_bsuid_of_a_customer_known_by_phone(self, db):
        [before] = resolve(Person(wa_id="1202"))

        [after] = resolve(Person(wa_id="1202", bsuid="US.1"))

        assert after == before
        assert (after.wa_id, after.bsuid) == ("1202", "US.1")
        assert resolve(Person(bsuid="US.1")) == [before]

    def test_learns_the_phone_of_a_customer_known_by_bsuid(self, db):
        [before] = resolve(Person(bsuid="US.1"))

        [after] = resolve(Person(wa_id="1202", bsuid="US.1"))

        assert after == before
        assert after.wa_id == "1202"

    def test_learns_within_one_webhook(self, db):
        first, second, third = resolve(
            Person(wa_id="1202"), Person(wa_id="1202", bsuid="US.1"), Person(wa_id="1202", name="Ada")
        )

        assert first == second == third
        assert (third.bsuid, third.name) == ("US.1", "Ada")

    def test_learns_a_phone_within_one_webhook(self, db):
        first, second, third = resolve(
            Person(bsuid="US.1"), Person(wa_id="1202", bsuid="US.1"), Person(wa_id="1202")
        )

        assert first == second == third

    def test_leaves_two_rows_alone_that_turn_out_to_be_one_person(self, db):
        by_phone, by_bsuid = resolve(Person(wa_id="1202"), Person(bsuid="US.1"))

        [found] = resolve(Person(wa_id="1202", bsuid="US.1"))

        assert found == by_phone
        by_bsuid.refresh_from_db()
        assert (found.bsuid, by_bsuid.bsuid) == (None, "US.1")

    def test_keeps_the_bsuid_when_the_phone_comes_with_another(self, db):
        [before] = resolve(Person(wa_id="1202", bsuid="US.1"))

        [after] = resolve(Person(wa_id="1202", bsuid="US.2"))

        assert (after, after.bsuid) == (before, "US.1")

    def test_takes_a_new_name_and_keeps_the_old_when_none_comes(self, db):
        resolve(Person(wa_id="1202", name="Ada", username="ada"))

        [renamed] = resolve(Person(wa_id="1202", name="Ada L."))
        [unchanged] = resolve(Person(wa_id="1202"))

        assert renamed.name == unchanged.name == "Ada L."
        assert unchanged.username == "ada"

    def test_tells_one_person_on_two_numbers_apart(self, db):
        [here] = resolve(Person(wa_id="1202"), number="1")
        [there] = resolve(Person(wa_id="1202"), number="2")

        assert here != there

    def test_never_mixes_up_a_phone_and_another_id(self, db):
        CustomerFactory(phone_number_id=NUMBER, phone_number=None, wa_id="1202")

        [customer] = resolve(Person(ig_id="1202"))

        assert (customer.wa_id, customer.ig_id) == (None, "1202")

    def test_of_known_customers_writes_nothing(self, db, django_assert_num_queries):
        people = [
            (NUMBER, Person(wa_id=f"1202555{n:04}", name="Ana", username="ana", external_id=f"crm-{n}"))
            for n in range(10)
        ]
        first = customers.resolve(people)

        with django_assert_num_queries(1):
            assert customers.resolve(people) == first

        kept = Customer.objects.get(wa_id="12025550003")
        assert (kept.name, kept.username, kept.external_id) == ("Ana", "ana", "crm-3")

    def test_learns_the_external_id_of_a_known_customer_and_keeps_it(self, db):
        for external_id in (None, "crm-1", "crm-2"):
            customers.resolve([(NUMBER, Person(visitor_id="vis_1", name="Ana", external_id=external_id))])

        kept = Customer.objects.get()
        assert (kept.external_id, kept.name) == ("crm-1", "Ana")

    def test_of_a_whole_batch_looks_once(self, db, django_assert_max_num_queries):
        people = [Person(wa_id=f"{n}") for n in range(20)]
        resolve(*people)

        with django_assert_max_num_queries(1):
            customers.resolve((NUMBER, person) for person in people)


PHONE, ID, BOTH = Person(wa_id="1202"), Person(bsuid="US.1"), Person(wa_id="1202", bsuid="US.1")
KNOWN = {
    "nobody": [],
    "the phone": [PHONE],
    "the id": [ID],
    "both as one": [BOTH],
    "both as two": [PHONE, ID],
}


class TestOnePersonUnderSeveralIds:
    @pytest.mark.parametrize("known", KNOWN)
    @pytest.mark.parametrize(
        "people",
        [*product([PHONE, ID, BOTH], repeat=2), *permutations([PHONE, ID, BOTH])],
        ids=lambda people: " ".join(str(person.wa_id or "-") + (person.bsuid or "-") for person in people),
    )
    def test_is_one_row_as_far_as_the_ids_show(self, db, known, people):
        for person in KNOWN[known]:
            resolve(person)
        doubles: list = []

        found = customers.resolve(((NUMBER, person) for person in people), doubles=doubles)

        involved = {*people, *KNOWN[known]}
        if known == "both as two":
            expected = {(PHONE.wa_id, None), (None, ID.bsuid)}
        elif BOTH in involved:
            expected = {(BOTH.wa_id, BOTH.bsuid)}
        else:
            expected = {(person.wa_id, person.bsuid) for person in involved}
        assert set(Customer.objects.values_list("wa_id", "bsuid")) == expected
        assert bool(doubles) == (known == "both as two" and BOTH in people)
        for person in people:
            owner = Customer.objects.get(pk=found[NUMBER, person])
            assert owner.wa_id == person.wa_id or owner.bsuid == person.bsuid

    def test_keeps_two_new_rows_whose_ids_contradict_each_other(self, db):
        doubles: list = []
        people = [Person(wa_id="1", bsuid="US.1"), Person(wa_id="2"), Person(wa_id="2", bsuid="US.1")]

        customers.resolve(((NUMBER, person) for person in people), doubles=doubles)

        assert set(Customer.objects.values_list("wa_id", "bsuid")) == {("1", "US.1"), ("2", None)}
        assert doubles == [(NUMBER, people[2])]

    def test_keeps_the_newest_name(self, db):
        resolve(Person(wa_id="1202", name="Old"))

        [*_, customer] = resolve(Person(bsuid="US.1", name="New"), BOTH)

        assert (customer.name, customer.wa_id, customer.bsuid) == ("New", "1202", "US.1")
