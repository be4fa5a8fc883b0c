"""Customers by their ids: finds or creates the row of each person who wrote. The number must be locked."""

from collections.abc import Iterable

from psycopg.types.json import Jsonb

from channels_app.meta.types import Person
from channels_app.models import Customer
from config.lib import ids, sql

Key = tuple[str, Person]
_IDS = ("wa_id", "bsuid", "ig_id", "visitor_id")


def resolve(people: Iterable[Key], *, doubles: list[Key] | None = None) -> dict[Key, str]:
    """
    Return the customer id of each (phone_number_id, person); create new customers and update known ones.

    A person whose ids belong to two customers is added to `doubles`. Two new customers that turn out to be
    one person become one row at once.
    """
    wanted = list(dict.fromkeys(people))
    known = _Known(wanted)
    customers: dict[Key, Customer] = {}
    for phone_number_id, person in wanted:
        owners = known.owners(phone_number_id, person)
        customer = owners[0] if owners else known.add(phone_number_id, person)
        for other in owners[1:]:
            if _is_new(other) and _agree(customer, other):
                known.merge(other, into=customer)
                customers |= {key: customer for key, owner in customers.items() if owner is other}
        known.learn(customer, person)
        if doubles is not None and _is_double(customer, person):
            doubles.append((phone_number_id, person))
        customers[phone_number_id, person] = customer
    known.insert()
    return {key: customer.customer_id for key, customer in customers.items()}


class _Known:
    """The customers that webhooks may be about, by each of their ids: stored ones and new ones."""

    def __init__(self, wanted: list[Key]) -> None:
        self._by_id: dict[tuple[str, str, str], Customer] = {}
        self._new: list[Customer] = []
        for name in _IDS:
            keys = [(number, getattr(person, name)) for number, person in wanted if getattr(person, name)]
            if keys:
                for row in sql.rows(_FIND[name], [list(column) for column in zip(*keys, strict=True)]):
                    self._index(Customer.from_db("default", _COLUMNS, list(row.values())))

    def owners(self, phone_number_id: str, person: Person) -> list[Customer]:
        """Return the customers with any of the person's ids, stored ones before new ones."""
        keys = [(phone_number_id, name, getattr(person, name)) for name in _IDS if getattr(person, name)]
        owners = dict.fromkeys(self._by_id[key] for key in keys if key in self._by_id)
        return sorted(owners, key=_is_new)

    def add(self, phone_number_id: str, person: Person) -> Customer:
        """Add a new customer, to be inserted later."""
        about = {name: getattr(person, name) for name in _COLUMNS[2:]}
        customer = Customer(customer_id=ids.new("cus"), phone_number_id=phone_number_id, **about)
        self._new.append(customer)
        self._index(customer)
        return customer

    def merge(self, other: Customer, *, into: Customer) -> None:
        """Replace a new customer, which is not inserted then, by another one."""
        self._new.remove(other)
        self._by_id = {key: owner for key, owner in self._by_id.items() if owner is not other}
        self.learn(into, Person(**{name: getattr(other, name) for name in _COLUMNS[2:]}))

    def learn(self, customer: Customer, person: Person) -> None:
        """
        Update a customer's names, and add ids that were not known and are nobody else's.

        An external id that is known stays: the business may have set it.
        """
        changed = []
        if person.external_id and customer.external_id is None:
            customer.external_id = person.external_id
            changed.append("external_id")
        for name in ("name", "username"):
            value = getattr(person, name)
            if value and value != getattr(customer, name):
                setattr(customer, name, value)
                changed.append(name)
        for name in _IDS:
            value = getattr(person, name)
            is_taken = (customer.phone_number_id, name, value) in self._by_id
            if value and getattr(customer, name) is None and not is_taken:
                setattr(customer, name, value)
                changed.append(name)
        if changed:
            self._index(customer)
            if not _is_new(customer):
                customer.save(update_fields=changed)

    def insert(self) -> None:
        """Insert the new customers with everything learned about them."""
        if self._new:
            rows = [{name: getattr(customer, name) for name in _COLUMNS} for customer in self._new]
            sql.execute(_INSERT, [Jsonb(rows)])

    def _index(self, customer: Customer) -> None:
        for name in _IDS:
            if value := getattr(customer, name):
                self._by_id[customer.phone_number_id, name, value] = customer


# In the order of the model's fields, in which `from_db` takes their values.
_COLUMNS = ["customer_id", "phone_number_id", *_IDS, "external_id", "username", "name"]
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


def _is_new(customer: Customer) -> bool:
    return customer._state.adding  # noqa: SLF001  (documented: not in the database yet)


def _agree(one: Customer, other: Customer) -> bool:
    """Check that no id differs, so that both can be one person."""
    ids_of_both = ((getattr(one, name), getattr(other, name)) for name in _IDS)
    return all(mine is None or theirs is None or mine == theirs for mine, theirs in ids_of_both)


def _is_double(customer: Customer, person: Person) -> bool:
    """Check whether an id of the person belongs to another customer."""
    return any(getattr(person, name) not in {None, getattr(customer, name)} for name in _IDS)
