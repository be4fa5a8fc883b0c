"""Who writes when: computed alike by the generator, which posts it, and by whoever judges what came back."""

import random
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from simulator import identifiers
from simulator.webhooks import Customer, Number

TOKEN = re.compile(r"\bmsg\d{7}x\b")
# A customer who wrote waits this long for the reply before writing again.
PAUSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Planned:
    """One message: its second after the start, who writes it, and the word its reply will quote."""

    offset: float
    customer: int
    token: str
    is_picture: bool = False


@dataclass(frozen=True, kw_only=True)
class Load:
    """
    What is posted in one go: `count` messages at `rate` a second, or all at once when the rate is 0.

    Customers from `known_from` to below `known` wrote before. Half of the messages come from those, half from
    new ones; at once, all come from new ones, and every fourth of these writes a second time when all have
    written. They write to `numbers` numbers from `first_number` on. Every `picture_every`th message is a
    picture with a caption; 0 = none.
    """

    rate: float
    count: int
    numbers: int
    first_number: int = 0
    known: int = 0
    known_from: int = 0
    first_token: int = 0
    seed: int = 1
    picture_every: int = 0

    @property
    def seconds(self) -> float:
        """How long posting takes if nothing is late."""
        return self.count / self.rate if self.rate else 0.0

    def number_of(self, customer: int) -> Number:
        """Return the business number that a customer writes to."""
        return number(self.first_number + customer % self.numbers)


def planned(load: Load) -> list[Planned]:
    """List the messages in the order they are posted."""
    pairs = list(_steadily(load) if load.rate else _at_once(load))
    return [
        Planned(
            offset,
            customer,
            token=f"msg{load.first_token + position:07d}x",
            is_picture=bool(load.picture_every) and (position + 1) % load.picture_every == 0,
        )
        for position, (offset, customer) in enumerate(pairs)
    ]


def _steadily(load: Load) -> Iterator[tuple[float, int]]:
    dice = random.Random(load.seed)
    free = list(range(load.known_from, load.known))
    resting: deque[tuple[float, int]] = deque()
    new = load.known
    for position in range(load.count):
        offset = position / load.rate
        while resting and resting[0][0] <= offset:
            free.append(resting.popleft()[1])
        if position % 2 and free:
            place = dice.randrange(len(free))
            free[place], free[-1] = free[-1], free[place]
            customer = free.pop()
        else:
            customer, new = new, new + 1
        resting.append((offset + PAUSE_SECONDS, customer))
        yield offset, customer


def _at_once(load: Load) -> Iterator[tuple[float, int]]:
    first = -(-load.count * 4 // 5)
    for position in range(load.count):
        customer = position if position < first else (position - first) * 4
        yield 0.0, load.known + customer


def number(index: int) -> Number:
    """The business number with this place in the list."""
    phone_number_id = f"1098765{index:08d}"
    return Number(phone_number_id, identifiers.display_phone_number(phone_number_id))


def customer(index: int) -> Customer:
    """The customer with this place in the list, with both ids, as the simulator's statuses name them."""
    wa_id = f"1202{index:07d}"
    return Customer(wa_id=wa_id, user_id=identifiers.business_scoped_user_id(wa_id))


def text(token: str) -> str:
    """Say something of the usual length around the token."""
    return f"Hello, this is about {token}. Do you bake rye bread, and until when are you open today?"
