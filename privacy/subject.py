"""The ids of a customer that an erasure looks for, and how they are stored while it runs."""

import json
from dataclasses import asdict, dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Subject:
    """
    The ids under which anything of a customer may stand somewhere.

    `message_ids` are the channel's ids of messages, and ours of deliveries.
    """

    user_id: str
    customer_id: str
    phone_number_id: str
    ids: dict[str, str]
    conversation_ids: list[str]
    extraction_ids: list[str]
    message_ids: list[str]
    # Of rows that the admin's log may name.
    row_ids: list[str]

    @property
    def names(self) -> list[str]:
        """Return the ids that the channel knows the customer by."""
        return sorted(set(self.ids.values()))

    def as_text(self) -> str:
        """Return it as it is stored."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Return what was stored."""
        return cls(**json.loads(text))
