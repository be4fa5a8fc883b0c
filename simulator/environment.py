"""
Every variable the simulator reads from its environment.

- ``SIMULATOR_WEBHOOK_URL``: where Meta's webhooks are posted (``http://127.0.0.1:3000/webhook/meta``)
- ``WEBHOOK_SECRET``: signs them; of a comma-separated list the first counts (the checkout's own, in
  ``secrets/WEBHOOK_SECRET`` below ``DATA_DIR``)
- ``SIMULATOR_BEHAVIOUR``: JSON, the behaviour at start and after a reset (see ``behaviour.py``)
- ``SIMULATOR_PHONE_NUMBER_ID``: the default WhatsApp number (``109876543210987``)
- ``SIMULATOR_DISPLAY_PHONE_NUMBER``: the phone number it shows (``12025550100``)
- ``SIMULATOR_INSTAGRAM_ACCOUNT_ID``: the default Instagram account (``17841400000000001``)
- ``SIMULATOR_JOURNAL_SIZE``: how many requests the journal remembers (``50000``)
- ``SIMULATOR_HOST``, ``SIMULATOR_PORT``: where it is served, for the URLs it gives (``127.0.0.1``, ``9090``)
- ``SIMULATOR_JOURNAL_FILE``: also append every finished request to this file (unset)
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_DATA_DIR = Path(__file__).resolve().parents[1] / ".data"


class InvalidEnvironmentError(ValueError):
    """A variable of the environment cannot be understood; the message names it."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What the environment says, read once at start."""

    webhook_url: str
    webhook_secret: str
    behaviour: dict[str, Any]
    phone_number_id: str
    display_phone_number: str
    instagram_account_id: str
    journal_size: int
    journal_file: str
    base_url: str


def read(environ: Mapping[str, str] = os.environ) -> Environment:
    """
    Read the simulator's settings; an empty variable counts as unset.

    :raises InvalidEnvironmentError: if a value cannot be understood
    """

    def value(name: str, default: str) -> str:
        return environ.get(name, "").strip() or default

    host = value("SIMULATOR_HOST", "127.0.0.1").replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - none is opened
    return Environment(
        webhook_url=value("SIMULATOR_WEBHOOK_URL", "http://127.0.0.1:3000/webhook/meta"),
        webhook_secret=_webhook_secret(value("WEBHOOK_SECRET", ""), value("DATA_DIR", str(_DATA_DIR))),
        behaviour=_json_object("SIMULATOR_BEHAVIOUR", value("SIMULATOR_BEHAVIOUR", "{}")),
        phone_number_id=value("SIMULATOR_PHONE_NUMBER_ID", "109876543210987"),
        display_phone_number=value("SIMULATOR_DISPLAY_PHONE_NUMBER", "12025550100"),
        instagram_account_id=value("SIMULATOR_INSTAGRAM_ACCOUNT_ID", "17841400000000001"),
        journal_size=_positive("SIMULATOR_JOURNAL_SIZE", value("SIMULATOR_JOURNAL_SIZE", "50000")),
        journal_file=value("SIMULATOR_JOURNAL_FILE", ""),
        base_url=f"http://{host}:{value('SIMULATOR_PORT', '9090')}",
    )


def _webhook_secret(given: str, data_dir: str) -> str:
    secret = next((part.strip() for part in given.split(",") if part.strip()), "")
    file = Path(data_dir) / "secrets" / "WEBHOOK_SECRET"
    if not secret and file.exists():
        secret = file.read_text().strip()
    if not secret:
        message = f"WEBHOOK_SECRET is not set, and {file} does not exist: `make run` creates it"
        raise InvalidEnvironmentError(message)
    return secret


def _json_object(name: str, text: str) -> dict[str, Any]:
    try:
        parsed = json.loads(text)
    except ValueError as error:
        raise InvalidEnvironmentError(f"{name} is not JSON: {error}") from None
    if not isinstance(parsed, dict):
        raise InvalidEnvironmentError(f"{name} must be a JSON object")
    return parsed


def _positive(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise InvalidEnvironmentError(f"{name} must be a whole number above 0")
    return int(text)
