"""Fills a database that the API is tried out on from outside: `python -m tests.api.seeding`."""

import json
import sys

import django

# Before our models can be imported.
django.setup()

from billing import keys, ledger  # noqa: E402
from tests.api import graph  # noqa: E402
from tests.factories import CreditFactory  # noqa: E402

# So many of each that some are left when others were deleted.
_EACH = 20


def main() -> None:
    """Make a business with many of everything, and another; print an operator's key and the ids."""
    user = CreditFactory(remaining_credits=100_000).user
    ledger.grant(user_id=user.user_id, amount=100_000, reference="a second line")
    graph.build()
    tenants = [graph.build(user) for _ in range(_EACH)]
    ids = {name: sorted({tenant.ids[name] for tenant in tenants}) for name in tenants[0].ids}
    _, key = keys.create(user_id=None, name="operator")
    json.dump({"key": key, "ids": ids}, sys.stdout)


if __name__ == "__main__":
    main()
