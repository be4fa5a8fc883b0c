"""Environment variables that look like ours, but that nothing reads."""

import os
import re
from collections import Counter
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

from django.conf import settings
from django.core.checks import CheckMessage, Warning  # noqa: A004  (Django's name)

_DOCUMENTED = re.compile(r"^#?([A-Z][A-Z0-9_]+)=", re.MULTILINE)
# Read by us, or by Django, Celery and the OpenAI library themselves, and not in `.env.example`.
_OTHERS = {
    "NODE_ENV",
    "FAILPOINTS",
    "DJANGO_SETTINGS_MODULE",
    "OPENAI_ORG_ID",
    "OPENAI_PROJECT_ID",
    "OPENAI_LOG",
}
_OTHER_PREFIXES = ("DJANGO_SUPERUSER_",)
# So general that other programs' variables begin with them.
_GENERAL = {"API", "APP", "DATA", "LOG", "NODE", "WEB"}
# What Kubernetes and Docker set for each service: REDIS_SERVICE_HOST, REDIS_PORT_6379_TCP, REDIS_PORT=tcp://…
_SERVICE = re.compile(
    r".*_(SERVICE_(HOST|PORT\w*)|PORT_\d+_(TCP|UDP)\w*)=.*|.*_PORT=(tcp|udp)://.*", re.DOTALL
)
_SIMILAR, _SIMILAR_WITH_OUR_PREFIX = 0.9, 0.7


def check() -> list[CheckMessage]:
    """Check the names in the environment against `.env.example`."""
    example = settings.BASE_DIR / ".env.example"
    if not example.exists():
        return []
    return [Warning(text, id="config.W004") for text in misspelt(os.environ, known=known(example))]


def known(example: Path) -> set[str]:
    """Return the variables that `.env.example` documents."""
    return set(_DOCUMENTED.findall(example.read_text()))


def misspelt(environment: Mapping[str, str], *, known: set[str]) -> list[str]:
    """Return a sentence for each variable whose name begins like ours or resembles one of ours."""
    prefixes = {prefix for prefix, count in Counter(map(_prefix, known)).items() if count > 1} - _GENERAL
    messages = []
    for name in sorted(environment.keys() - known - _OTHERS):
        if name.startswith(_OTHER_PREFIXES) or _SERVICE.fullmatch(f"{name}={environment[name]}"):
            continue
        has_our_prefix = _prefix(name) in prefixes and "_" in name
        cutoff = _SIMILAR_WITH_OUR_PREFIX if has_our_prefix else _SIMILAR
        similar = get_close_matches(name, sorted(known), n=1, cutoff=cutoff)
        if similar or has_our_prefix:
            messages.append(f"Nothing reads {name}." + (f" Did you mean {similar[0]}?" if similar else ""))
    return messages


def _prefix(name: str) -> str:
    return name.partition("_")[0]
