"""Fills a database that the API is tried out on from outside: `python -m tests.api.seeding`."""

import json
import sys

import django
from django.utils import timezone

# Before our models can be imported.
django.setup()

from billing import keys, ledger  # noqa: E402
from channels_app.webchat import sessions  # noqa: E402
from tests.api import graph  # noqa: E402
from tests.factories import CreditFactory  # noqa: E402
from tests.webchat.browser_calls import SHOP, web_chat  # noqa: E402

# So many of each that some are left when others were deleted.
_EACH = 20


def main() -> None:
    """Make a business with many of everything, and others; print an operator's key, the ids and a visitor."""
    user = CreditFactory(remaining_credits=100_000).user
    ledger.grant(user_id=user.user_id, amount=100_000, reference="a second line")
    graph.build()
    tenants = [graph.build(user) for _ in range(_EACH)]
    ids = {name: sorted({tenant.ids[name] for tenant in tenants}) for name in tenants[0].ids}
    _, key = keys.create(user_id=None, name="operator")
    # Not among the ids: whoever deletes a number does not delete this one.
    chat = web_chat(credits=100_000)
    visitor = {
        "chat": chat.pk,
        "origin": SHOP,
        "session": sessions.begin(chat, now=timezone.now()).token,
    }
    json.dump({"key": key, "ids": ids, "visitor": visitor}, sys.stdout)


if __name__ == "__main__":
    main()
