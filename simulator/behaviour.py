"""
How well the simulated services behave: read from JSON, merged from partial updates, checked before it counts.

Sections `openai` (POST /v1/responses and transcriptions), `conversations` (/v1/conversations) and `graph`
(POST …/messages) have the same keys, see `PROFILE_DEFAULTS`; `account` says how Graph describes the
account of the business; beside them stand how webhooks come and `seed`, see `DEFAULTS`.
"""

import re
from collections.abc import Mapping
from random import Random
from typing import Any

from simulator import account_settings
from simulator.account_settings import ACCOUNT_DEFAULTS
from simulator.faults import Profile, error_of

PROFILE_DEFAULTS: dict[str, Any] = {
    "latency": 0.0,
    "errors": {},
    "retry_after": None,
    "drop": 0.0,
    "drop_after_accept": 0.0,
    "hang": 0.0,
    "hang_seconds": 600.0,
    "script": [],
    "always": None,
}
PROFILES: dict[str, dict[str, Any]] = {
    "openai": {"latency": 0.2},
    "conversations": {},
    "graph": {"latency": 0.02},
}
DEFAULTS: dict[str, Any] = {
    "statuses": True,
    "status_delays": [0.2, 0.5, 1.0],
    "deliver_twice": False,
    "batch_seconds": 0.0,
    "shuffle_seconds": 0.0,
    "dashboard_prompts": True,
    # GET /v1/models: id -> shutdown date, null = not announced.
    "models": {
        "gpt-6.2-sol": None,
        "gpt-6.1-terra": None,
        "gpt-6-luna": None,
        "gpt-5.1": "2027-04-01",
        "gpt-5": "2026-12-11",
        "gpt-5-mini": "2026-12-11",
        "gpt-4o": "2027-01-14",
        "gpt-transcribe": None,
        "whisper-1": "2027-02-26",
    },
    "account": ACCOUNT_DEFAULTS,
    "seed": None,
}
# Sections of which an update names some keys only.
_SECTIONS: dict[str, Mapping[str, Any]] = {
    **dict.fromkeys(PROFILES, PROFILE_DEFAULTS),
    "account": ACCOUNT_DEFAULTS,
}
LATENCY_SHAPES = ({"median", "sigma"}, {"mean", "spread"})
STEP_KEYS = {
    "match", "delay", "status", "code", "message", "retry_after", "drop", "drop_after_accept", "hang",
    "text", "refusal", "json", "tool_call", "response_status", "reason", "fail_status",
}  # fmt: skip
ERROR_KEY = re.compile(r"\d{1,7}(:\w+)?")
DATE = re.compile(r"\d{4}-\d\d-\d\d")
HTTP_ERRORS = range(400, 600)
RESPONSE_STATUSES = ("completed", "incomplete", "failed")


class InvalidBehaviourError(ValueError):
    """The behaviour asked for makes no sense; the message says what and where."""


class Behaviour:
    """The behaviour in force."""

    def __init__(self, document: Mapping[str, Any], previous: "Behaviour | None" = None) -> None:
        """
        Check and keep a whole or partial behaviour, on top of the previous one or of the defaults.

        :raises InvalidBehaviourError: if anything in it makes no sense
        """
        self.document = _merged(previous.as_document() if previous else _defaults(), document)
        _check(self.document)
        self.dice: dict[str, Random] = (
            previous.dice if previous and "seed" not in document else _dice(self.document["seed"])
        )
        self.openai, self.conversations, self.graph = (
            Profile(self.document[name], self.dice[name]) for name in PROFILES
        )
        self.statuses: bool = self.document["statuses"]
        self.status_delays: list[float] = self.document["status_delays"]
        self.deliver_twice: bool = self.document["deliver_twice"]
        self.batch_seconds: float = self.document["batch_seconds"]
        self.shuffle_seconds: float = self.document["shuffle_seconds"]
        self.dashboard_prompts: bool = self.document["dashboard_prompts"]
        self.models: dict[str, str | None] = self.document["models"]
        self.account: dict[str, Any] = self.document["account"]

    def as_document(self) -> dict[str, Any]:
        """Return the whole behaviour as JSON, the scripts as far as they are not used up."""
        profiles = {"openai": self.openai, "conversations": self.conversations, "graph": self.graph}
        return {
            **self.document,
            **{
                name: {**self.document[name], "script": list(profile.script)}
                for name, profile in profiles.items()
            },
        }


def _dice(seed: int | None) -> dict[str, Random]:
    names = (*PROFILES, "webhooks")
    return {name: Random(None if seed is None else f"{seed}:{name}") for name in names}


def _defaults() -> dict[str, Any]:
    profiles = {name: {**PROFILE_DEFAULTS, **own} for name, own in PROFILES.items()}
    return {**DEFAULTS, "account": dict(ACCOUNT_DEFAULTS), **profiles}


def _merged(base: dict[str, Any], update: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(update, dict):
        raise InvalidBehaviourError("the behaviour must be a JSON object")
    _refuse_unknown("behaviour", update, base)
    merged = dict(base)
    for key, value in update.items():
        if key in _SECTIONS:
            if not isinstance(value, dict):
                raise InvalidBehaviourError(f"{key} must be an object")
            _refuse_unknown(key, value, _SECTIONS[key])
            merged[key] = {**base[key], **value}
        else:
            merged[key] = value
    return merged


def _refuse_unknown(where: str, given: Mapping[str, Any], known: Mapping[str, Any] | set[str]) -> None:
    unknown = sorted(str(key) for key in given.keys() - set(known))
    if unknown:
        raise InvalidBehaviourError(f"{where} has no {', '.join(unknown)}; it has {', '.join(sorted(known))}")


def _check(document: Mapping[str, Any]) -> None:
    for name in ("statuses", "deliver_twice", "dashboard_prompts"):
        if not isinstance(document[name], bool):
            raise InvalidBehaviourError(f"{name} must be true or false")
    delays = document["status_delays"]
    if not isinstance(delays, list) or len(delays) != len(DEFAULTS["status_delays"]):
        raise InvalidBehaviourError("status_delays must be three numbers: sent, delivered, read")
    for delay in delays:
        _check_number("status_delays", delay)
    _check_models(document["models"])
    if fault := account_settings.fault(document["account"]):
        raise InvalidBehaviourError(fault)
    for name in ("batch_seconds", "shuffle_seconds"):
        _check_number(name, document[name])
    seed = document["seed"]
    if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool)):
        raise InvalidBehaviourError("seed must be a whole number or null")
    for name in PROFILES:
        _check_profile(name, document[name])


def _check_models(models: object) -> None:
    if not isinstance(models, dict) or not all(
        on is None or (isinstance(on, str) and DATE.fullmatch(on)) for on in models.values()
    ):
        raise InvalidBehaviourError("models must be an object of dates (YYYY-MM-DD) or nulls by model")


def _check_profile(name: str, profile: Mapping[str, Any]) -> None:
    _check_latency(f"{name}.latency", profile["latency"])
    _check_number(f"{name}.hang_seconds", profile["hang_seconds"])
    if profile["retry_after"] is not None:
        _check_number(f"{name}.retry_after", profile["retry_after"])
    errors = profile["errors"]
    if not isinstance(errors, dict):
        raise InvalidBehaviourError(f"{name}.errors must be an object of shares")
    shares = {
        "drop": profile["drop"],
        "drop_after_accept": profile["drop_after_accept"],
        "hang": profile["hang"],
    }
    for key in errors:
        _check_error(f"{name}.errors", key, is_http=name != "graph")
    for key, share in {**shares, **errors}.items():
        _check_number(f"{name}.{key}", share)
    if sum(shares.values()) + sum(errors.values()) > 1 + 1e-9:
        raise InvalidBehaviourError(
            f"{name}: the shares of errors, drop, drop_after_accept and hang exceed 1"
        )
    if not isinstance(profile["script"], list):
        raise InvalidBehaviourError(f"{name}.script must be a list of steps")
    steps = [(f"{name}.script", step) for step in profile["script"]]
    if profile["always"] is not None:
        steps.append((f"{name}.always", profile["always"]))
    for where, step in steps:
        _check_step(where, step)
        error = error_of(step)
        if error:
            _check_error(where, error, is_http=name != "graph")


def _check_error(where: str, key: str, *, is_http: bool) -> None:
    if not ERROR_KEY.fullmatch(key):
        raise InvalidBehaviourError(f"{where}: {key!r} is neither a number nor one with a name (400:name)")
    if is_http and int(key.partition(":")[0]) not in HTTP_ERRORS:
        raise InvalidBehaviourError(f"{where}: {key!r} is not an HTTP status from 400 to 599")


def _check_latency(where: str, latency: object) -> None:
    if not isinstance(latency, dict):
        _check_number(where, latency)
        return
    if set(latency) not in LATENCY_SHAPES:
        raise InvalidBehaviourError(f"{where} must be seconds, median and sigma, or mean and spread")
    for key, value in latency.items():
        _check_number(f"{where}.{key}", value)


def _check_number(where: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise InvalidBehaviourError(f"{where} must be a number of 0 or more")


def _check_step(where: str, step: object) -> None:
    if not isinstance(step, dict):
        raise InvalidBehaviourError(f"{where}: every step must be an object")
    _refuse_unknown(where, step, STEP_KEYS)
    for key in step.keys() & {"delay", "hang", "retry_after"}:
        _check_number(f"{where}.{key}", step[key])
    for key in step.keys() & {"text", "refusal", "match", "message", "reason"}:
        if not isinstance(step[key], str):
            raise InvalidBehaviourError(f"{where}.{key} must be a text")
    if not str(step.get("fail_status", 0)).isdigit():
        raise InvalidBehaviourError(f"{where}.fail_status must be a number")
    if step.get("response_status", "completed") not in RESPONSE_STATUSES:
        raise InvalidBehaviourError(f"{where}.response_status must be one of {', '.join(RESPONSE_STATUSES)}")
    call = step.get("tool_call", {"name": "x"})
    if not isinstance(call, dict) or not isinstance(call.get("name"), str):
        raise InvalidBehaviourError(f"{where}.tool_call needs a name (and arguments)")
