"""The widget's own words, which a business may put into its own."""

import json
from pathlib import Path

WIDGET = Path(__file__).parent / "widget"
WORDS: dict[str, str] = json.loads((WIDGET / "words.json").read_text())
KEYS = frozenset(WORDS)
