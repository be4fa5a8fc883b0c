"""What customers write and what breaks meanwhile, planned from a seed; and Meta, who posts it."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random

import requests

from simulator import webhooks
from simulator.webhooks import Customer
from tests import environment
from tests.chaos.happened import Accepted
from tests.rig import Business

# Sometimes a customer sends two or three messages at once, which come in one webhook.
BURSTS = (1, 1, 1, 1, 2, 3)
POSTERS = 24


@dataclass(frozen=True, slots=True)
class Webhook:
    """What one customer writes at one moment (seconds from the start), and how often Meta repeats it."""

    at: float
    number: int
    customer: int
    first: int
    count: int
    at_once: int
    later: bool

    @property
    def tokens(self) -> list[str]:
        return [f"<{self.number}-{self.customer}-{self.first + n}>" for n in range(self.count)]

    @property
    def wa_id(self) -> str:
        return f"12025{self.number:03}{self.customer:03}"


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that breaks at a moment, for a while."""

    at: float
    what: str
    seconds: float


@dataclass(frozen=True)
class Plan:
    """The same seed gives the same plan."""

    webhooks: list[Webhook]
    faults: list[Fault]

    @classmethod
    def make(
        cls, seed: int, *, messages: int, numbers: int, customers: int, seconds: float, faults: list[str]
    ) -> "Plan":
        dice = Random(seed)
        written = []
        lines = [(number, customer) for number in range(numbers) for customer in range(customers)]
        for index, (number, customer) in enumerate(lines):
            share = messages // len(lines) + (index < messages % len(lines))
            written += _line(dice, number, customer, share, seconds)
        kinds = dice.sample(faults, len(faults))
        gap = seconds / (len(kinds) + 1)
        broken = [
            Fault(gap * (n + 0.7 + 0.6 * dice.random()), kind, 0.5 + 2 * dice.random())
            for n, kind in enumerate(kinds)
        ]
        return cls(sorted(written, key=lambda webhook: webhook.at), broken)

    @property
    def messages(self) -> int:
        return sum(webhook.count for webhook in self.webhooks)


def _line(dice: Random, number: int, customer: int, messages: int, seconds: float) -> list[Webhook]:
    """Plan what one customer writes."""
    counts: list[int] = []
    while sum(counts) < messages:
        counts.append(min(dice.choice(BURSTS), messages - sum(counts)))
    moments = sorted(dice.uniform(0, seconds) for _ in counts)
    line, first = [], 0
    for at, count in zip(moments, counts, strict=True):
        repeats = dice.choice((0, 0, 0, 1, 2))
        line.append(Webhook(at, number, customer, first, count, repeats, later=dice.random() < 0.15))
        first += count
    return line


class Meta:
    """
    Posts webhooks, some of them more than once, and again until they are answered 200.

    A customer's webhooks are posted one after the other, so the order in which they are accepted is known.
    """

    def __init__(self, businesses: list[Business], *, patience: float = 90) -> None:
        self.businesses = businesses
        self.accepted: list[Accepted] = []
        self.answers: Counter[str] = Counter()
        self.given_up: list[Webhook] = []
        self._patience = patience
        self._lock = threading.Lock()
        self._repeats = ThreadPoolExecutor(8)

    def post_all(self, planned: list[Webhook]) -> None:
        """Post each webhook when its time has come."""
        start = time.monotonic()
        hands: list[list[Webhook]] = [[] for _ in range(POSTERS)]
        for webhook in planned:
            hands[(webhook.number * 31 + webhook.customer) % POSTERS].append(webhook)
        with ThreadPoolExecutor(POSTERS) as pool:
            for done in [pool.submit(self._post_in_time, hand, start) for hand in hands]:
                done.result()
        self._repeats.shutdown(wait=True)

    def _post_in_time(self, planned: list[Webhook], start: float) -> None:
        for webhook in planned:
            time.sleep(max(0.0, start + webhook.at - time.monotonic()))
            self.post(webhook)

    def post(self, webhook: Webhook) -> None:
        """Post a webhook until it is answered 200, and note its messages as accepted."""
        business = self.businesses[webhook.number]
        ids = [f"wamid.{business.phone_number_id}{token.strip('<>')}" for token in webhook.tokens]
        body = webhooks.encode(
            webhooks.whatsapp_text(
                webhook.tokens,
                customer=Customer(wa_id=webhook.wa_id),
                number=business.number,
                message_ids=ids,
            )
        )
        repeats = [self._repeats.submit(self._answer, body) for _ in range(webhook.at_once)]
        give_up_at, pause = time.monotonic() + self._patience, 0.3
        is_accepted = self._answer(body)
        is_accepted = any(repeat.result() for repeat in repeats) or is_accepted
        while not is_accepted and time.monotonic() < give_up_at:
            time.sleep(pause)
            pause = min(pause * 2, 5)
            is_accepted = self._answer(body)
        with self._lock:
            if not is_accepted:
                self.given_up.append(webhook)
                return
            self.accepted += [
                Accepted(business.phone_number_id, webhook.wa_id, provider_id, token)
                for provider_id, token in zip(ids, webhook.tokens, strict=True)
            ]
        if webhook.later:
            self._repeats.submit(self._answer_later, body)

    def _answer_later(self, body: bytes) -> bool:
        time.sleep(2)
        return self._answer(body)

    def _answer(self, body: bytes) -> bool:
        """Post once, and tell whether the answer was 200."""
        headers = webhooks.headers(body, "test-app-secret")
        try:
            answer = str(
                requests.post(environment.WEBHOOK_URL, data=body, headers=headers, timeout=10).status_code
            )
        except requests.RequestException as error:
            answer = type(error).__name__
        with self._lock:
            self.answers[answer] += 1
        return answer == "200"
