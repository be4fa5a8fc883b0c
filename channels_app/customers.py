"""Who wrote: finds the row of a person by any of their ids, or makes it. The number must be locked."""

from collections.abc import Iterable

from django.db.models import Q

from channels_app.meta.types import Person
from channels_app.models import Customer

Key = tuple[str, Person]
_IDS = ("wa_id", "bsuid", "ig_id")


def resolve(people: Iterable[Key], *, doubles: list[Key] | None = None) -> dict[Key, str]:
    """
    Give the customer id of each (phone_number_id, person), making new customers and filling in news.

    People whose ids belong to two rows are added to `doubles`.
    """
    wanted = list(dict.fromkeys(people))
    known = _Known(wanted)
    found = {}
    for phone_number_id, person in wanted:
        customer = known.get(phone_number_id, person)
        if customer is None:
            customer = known.add(phone_number_id, person)
        else:
            if _learn(customer, person):
                known.index(customer)
            if doubles is not None and _is_double(customer, person):
                doubles.append((phone_number_id, person))
        found[phone_number_id, person] = customer.customer_id
    return found


class _Known:
    """The customers a webhook may speak of, by each of their ids."""

    def __init__(self, wanted: list[Key]) -> None:
        self._by_id: dict[tuple[str, str, str], Customer] = {}
        numbers = {number for number, _ in wanted}
        by_any_id = Q(pk__in=[])
        for name in _IDS:
            if ids := [getattr(person, name) for _, person in wanted if getattr(person, name)]:
                by_any_id |= Q(**{f"{name}__in": ids})
        for customer in Customer.objects.filter(by_any_id, phone_number_id__in=numbers):
            self.index(customer)

    def index(self, customer: Customer) -> None:
        """Make a customer known by all ids they have by now."""
        for name in _IDS:
            if value := getattr(customer, name):
                self._by_id[customer.phone_number_id, name, value] = customer

    def get(self, phone_number_id: str, person: Person) -> Customer | None:
        for name in _IDS:
            value = getattr(person, name)
            if value and (customer := self._by_id.get((phone_number_id, name, value))):
                return customer
        return None

    def add(self, phone_number_id: str, person: Person) -> Customer:
        customer = Customer.objects.create(
            phone_number_id=phone_number_id,
            wa_id=person.wa_id,
            bsuid=person.bsuid,
            ig_id=person.ig_id,
            name=person.name,
            username=person.username,
        )
        self.index(customer)
        return customer


def _learn(customer: Customer, person: Person) -> bool:
    """Write down a new name, and an id we had not heard unless it is another customer's; tell of news."""
    changed = []
    for name in ("name", "username"):
        value = getattr(person, name)
        if value and value != getattr(customer, name):
            setattr(customer, name, value)
            changed.append(name)
    for name in _IDS:
        value = getattr(person, name)
        if value and getattr(customer, name) is None and not _is_taken(customer, name, value):
            setattr(customer, name, value)
            changed.append(name)
    if changed:
        customer.save(update_fields=changed)
    return bool(changed)


def _is_double(customer: Customer, person: Person) -> bool:
    """Tell whether an id of the person is still not this row's: it is another's."""
    return any(getattr(person, name) not in {None, getattr(customer, name)} for name in _IDS)


def _is_taken(customer: Customer, name: str, value: str) -> bool:
    return Customer.objects.filter(phone_number_id=customer.phone_number_id, **{name: value}).exists()
