"""Everything the simulator holds in memory."""

from simulator import identifiers
from simulator.behaviour import Behaviour
from simulator.delivery import Courier
from simulator.environment import Environment
from simulator.graph_media import MediaStore
from simulator.journal import Journal
from simulator.openai_store import OpenAIStore
from simulator.phone_chats import Chats
from simulator.phone_feed import Feed
from simulator.webhooks import Customer, Number


class State:
    """The state of one process."""

    def __init__(self, environment: Environment) -> None:
        """Start as the environment says."""
        self.environment = environment
        self.feed = Feed()
        self.journal = Journal(environment.journal_size, environment.journal_file)
        self.journal.on_change = self.feed.tell_request
        self._start_fresh()

    async def reset(self) -> None:
        """Forget everything but the journal's numbering, and behave as at the start."""
        await self.courier.close()
        self.journal.clear()
        self._start_fresh()
        self.feed.tell_reset()

    def customer(self, key: str) -> Customer:
        """Return the customer with this phone number (digits) or BSUID, made up when never heard of."""
        known = self.customers.get(key)
        if known is not None:
            return known
        if "." in key:
            return Customer(wa_id=None, name="Simulated Customer", user_id=key)
        return Customer(
            wa_id=key, name="Simulated Customer", user_id=identifiers.business_scoped_user_id(key)
        )

    def number(self, phone_number_id: str) -> Number:
        """Return the business number with this id; any id has one."""
        if phone_number_id == self.environment.phone_number_id:
            return Number(phone_number_id, self.environment.display_phone_number)
        return Number(phone_number_id, identifiers.display_phone_number(phone_number_id))

    def _start_fresh(self) -> None:
        self.chats = Chats(self.feed.tell_chat)
        self.courier = Courier(self.environment, self.journal, self.chats, lambda: self.behaviour)
        self.behaviour = Behaviour(self.environment.behaviour)
        self.openai = OpenAIStore()
        self.media = MediaStore()
        self.customers: dict[str, Customer] = {}
