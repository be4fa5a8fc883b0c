"""Examples name models that OpenAI has not announced the end of."""

import re

import pytest

from tests.house.test_rules import files, name
from tests.rig import PROJECT

# Announced ends: https://developers.openai.com/api/docs/deprecations
LIVING = {"gpt-6-luna", "gpt-6.1-sol", "gpt-6.1-terra", "gpt-6.2-sol", "gpt-transcribe"}
MODEL = re.compile(r"\b(?:gpt|whisper|o[134])-[a-z0-9][a-z0-9.-]*[a-z0-9]")
SHOWN = [
    *files("*", below=PROJECT / "documentation"),
    *files("*.md"),
    *(
        path
        for room in ("agents", "conversations", "extraction", "config")
        for path in files("*.py", below=PROJECT / room)
    ),
    PROJECT / ".env.example",
]


@pytest.mark.parametrize("path", SHOWN, ids=name)
def test_examples_name_living_models(path):
    if path.suffix in {".png", ".ico", ".woff2"}:
        pytest.skip("no text")

    assert set(MODEL.findall(path.read_text())) <= LIVING
