"""What happened, in plain records: told by customers, kept in the tables, seen by the vendors."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Accepted:
    """A message whose webhook was answered 200."""

    number: str
    customer: str
    provider_id: str
    token: str


@dataclass(frozen=True, slots=True)
class Inbound:
    """A row of the inbox; `sequence_no` is its place in the conversation, once it has one."""

    id: int
    number: str
    customer: str
    provider_id: str
    status: str
    turn_id: str | None = None
    sequence_no: int | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn; times in seconds."""

    turn_id: str
    number: str
    customer: str
    state: str
    created_at: float
    closed_at: float | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the AI said in a turn, or the fallback said instead."""

    message_id: str
    turn_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One POST as the tables tell it."""

    delivery_id: str
    message_id: str
    state: str
    attempt: int = 1
    part: int = 1


@dataclass(frozen=True, slots=True)
class Post:
    """One POST as the vendor saw it; `status` is None where it went unanswered."""

    seq: int
    number: str
    to: str
    text: str
    delivery_id: str
    status: int | None = 200

    @property
    def may_have_arrived(self) -> bool:
        return self.status is None or self.status == 200 or self.status >= 500


@dataclass(frozen=True, slots=True)
class Ask:
    """One call of the model, or of its memory, made for a customer."""

    seq: int
    number: str
    customer: str
    turn_id: str
    conversation: str
    text: str
    is_paid: bool = True


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the ledger."""

    id: int
    user: str
    kind: str
    amount: int
    reference: str
    balance_after: int


@dataclass
class History:
    """All that happened, each list in order; `owners` are the users of numbers."""

    owners: dict[str, str]
    balances: dict[str, int]
    accepted: list[Accepted] = field(default_factory=list)
    inbox: list[Inbound] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    posts: list[Post] = field(default_factory=list)
    asks: list[Ask] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
