"""Who wrote: finds the row of a person by any of their ids, or makes it. The number must be locked."""

from collections.abc import Iterable

from psycopg.types.json import Jsonb

from channels_app.meta.types import Person
from channels_app.models import Customer
from config.lib import ids, sql

Key = tuple[str, Person]
_IDS = ("wa_id", "bsuid", "ig_id", "visitor_id")


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
    known.insert()
    return found


class _Known:
    """The customers a webhook may speak of, by each of their ids."""

    def __init__(self, wanted: list[Key]) -> None:
        self._by_id: dict[tuple[str, str, str], Customer] = {}
        self._new: list[Customer] = []
        for name in _IDS:
            keys = [(number, getattr(person, name)) for number, person in wanted if getattr(person, name)]
            if keys:
                for row in sql.rows(_FIND[name], [list(column) for column in zip(*keys, strict=True)]):
                    self.index(Customer.from_db("default", _COLUMNS, list(row.values())))

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
        about = {name: getattr(person, name) for name in _COLUMNS[2:]}
        customer = Customer(customer_id=ids.new("cus"), phone_number_id=phone_number_id, **about)
        self._new.append(customer)
        self.index(customer)
        return customer

    def insert(self) -> None:
        """Write down the new ones, with all that was learned of them by now."""
        if self._new:
            rows = [{name: getattr(customer, name) for name in _COLUMNS} for customer in self._new]
            sql.execute(_INSERT, [Jsonb(rows)])


_COLUMNS = ["customer_id", "phone_number_id", *_IDS, "username", "name"]
_FIND = {
    name: f"""
        SELECT {", ".join(f"customers.{column}" for column in _COLUMNS)}
          FROM unnest(%s::text[], %s::text[]) AS told (number, id)
          JOIN customers ON phone_number_id = told.number AND {name} = told.id AND {name} IS NOT NULL
    """  # noqa: S608  (columns, all our own words)
    for name in _IDS
}
_INSERT = f"""
    INSERT INTO customers ({", ".join(_COLUMNS)}, pause_reason, created_at)
    SELECT {", ".join(_COLUMNS)}, '', statement_timestamp()
      FROM jsonb_to_recordset(%s) AS new ({", ".join(f"{name} text" for name in _COLUMNS)})
"""  # noqa: S608  (columns, all our own words)


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
    if changed and not customer._state.adding:  # noqa: SLF001  (a new one is inserted with all of it)
        customer.save(update_fields=changed)
    return bool(changed)


def _is_double(customer: Customer, person: Person) -> bool:
    """Tell whether an id of the person is still not this row's: it is another's."""
    return any(getattr(person, name) not in {None, getattr(customer, name)} for name in _IDS)


def _is_taken(customer: Customer, name: str, value: str) -> bool:
    return Customer.objects.filter(phone_number_id=customer.phone_number_id, **{name: value}).exists()
