"""Where processes are killed at a certain point while a customer writes, line by line."""

import signal
from pathlib import Path
from typing import Any

from tests.chaos import history, records, run
from tests.chaos.traffic import Meta, Webhook
from tests.rig import PATIENCE, Business, Rig

ENVIRONMENT = {
    # A dead holder's turn is taken over after so long; one that lives renews it three times in that time.
    "TURN_LEASE": "9000",
    "OPENAI_TIMEOUT": "10000",
    "REPLY_BUDGET": "1000",
    "TYPING_INDICATOR": "false",
}


class Line:
    """Customers of one number, who write one message after the other; each has a token of its own."""

    def __init__(self, rig: Rig, *, credits: int = 1000) -> None:  # noqa: A002
        self.rig = rig
        self.business: Business = rig.business(credits=credits)
        self.meta = Meta([self.business])
        self._written: dict[int, int] = {}

    @property
    def number(self) -> str:
        return self.business.phone_number_id

    def write(self, count: int = 1, *, customer: int = 0) -> list[str]:
        """Have a customer write messages in webhooks of their own, each posted until it is answered 200."""
        tokens = []
        for _ in range(count):
            first = self._written.get(customer, 0)
            self._written[customer] = first + 1
            webhook = Webhook(0, 0, customer, first, 1, 0, later=False)
            self.meta.post(webhook)
            tokens += webhook.tokens
        assert not self.meta.given_up
        return tokens

    def talk(self, count: int, *, customer: int = 0) -> list[str]:
        """Have a customer write messages, each after the answer to the one before."""
        tokens = []
        for _ in range(count):
            tokens += self.write(customer=customer)
            self.wait()
        return tokens

    def wait(self) -> None:
        is_quiet = run.wait_until_quiet(self.rig, [self.business], seconds=PATIENCE, pause=0.1)
        assert is_quiet, f"not quiet within {PATIENCE} s\n{self.report()}"

    def report(self) -> history.Report:
        return history.check(records.collect(self.rig, [self.business], self.meta.accepted))

    def check(self) -> history.Report:
        """Wait until nothing moves, and hold what happened against what was promised."""
        self.wait()
        report = self.report()
        assert report.is_good, f"\n{report}"
        return report

    # --- what became of one message

    def turn(self, token: str) -> dict[str, Any]:
        """Give the turn that a message is part of."""
        [turn] = self.rig.rows(
            "SELECT turns.* FROM turns JOIN inbound_messages USING (turn_id)"
            " WHERE inbound_messages.phone_number_id = %s AND text = %s",
            self.number,
            token,
        )
        return turn

    def deliveries(self, token: str) -> list[dict[str, Any]]:
        """Give the deliveries of the reply to a message, part by part."""
        return self.rig.rows(
            "SELECT deliveries.* FROM deliveries JOIN messages USING (message_id)"
            " WHERE messages.turn_id = %s ORDER BY part",
            self.turn(token)["turn_id"],
        )

    def states(self, token: str) -> list[str]:
        return [delivery["state"] for delivery in self.deliveries(token)]

    def posts(self, token: str) -> int:
        """Count the POSTs that the vendor saw of the reply to a message."""
        ours = {delivery["delivery_id"] for delivery in self.deliveries(token)}
        return sum(send["body"]["biz_opaque_callback_data"] in ours for send in self.business.sends())

    def asks(self, token: str) -> int:
        """Count how often the model was asked in a message's turn; who was told to wait has not asked."""
        turn_id = self.turn(token)["turn_id"]
        asked = self.rig.simulator.requests(api="openai", path="/v1/responses")
        return sum(
            request["body"].get("metadata", {}).get("turn_id") == turn_id and request["status"] != 400
            for request in asked
        )

    def lines(self, token: str) -> list[tuple[str, int]]:
        """Give the ledger's lines for a message's turn."""
        found = self.rig.rows(
            "SELECT kind, amount FROM credit_entries WHERE reference = %s ORDER BY id",
            self.turn(token)["turn_id"],
        )
        return [(line["kind"], line["amount"]) for line in found]


class Stage:
    """The processes, each with or without a point where it dies."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig

    def line(self, **more: Any) -> Line:
        return Line(self.rig, **more)

    def set(self, *names: str, **failpoints: str) -> None:
        """Have the usual processes, and these besides; `worker="P7=kill@3"` has the worker die there."""
        usual = ("webhook", "worker", "extractor", "sweeper")
        for idle in {"worker2", "sweeper2"} - set(names):
            self.rig.kill(idle)
        points = {name: {"FAILPOINTS": point} for name, point in failpoints.items()}
        self.rig.have_each({name: ENVIRONMENT | points.get(name, {}) for name in (*usual, *names)})

    def join(self, name: str) -> None:
        """Have one more process."""
        self.rig.have(name, **ENVIRONMENT)

    def elect_anew(self, *, sweeper: str) -> None:
        """Have a sweeper that dies at a point be the one that works."""
        self.rig.kill("sweeper")
        with self.rig.connect() as connection:
            connection.execute("DELETE FROM leader_leases")
        self.rig.have("sweeper", **ENVIRONMENT, FAILPOINTS=sweeper)

    def is_frozen(self, name: str) -> bool:
        """Tell whether a process has stopped itself."""
        status = Path(f"/proc/{self.rig.pid(name)}/stat").read_text()
        return status.rpartition(")")[2].split()[0] == "T"

    def wake(self, name: str) -> None:
        self.rig.signal(name, signal.SIGCONT)

    def without(self, *names: str) -> None:
        for name in names:
            self.rig.kill(name)

    def supervised(self, *names: str, **failpoints: str) -> Any:
        """Start what dies again; without its point, unless it is given here."""
        return self.rig.supervised(*names, **ENVIRONMENT, **failpoints)
