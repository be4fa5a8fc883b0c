"""Items of OpenAI's conversations, as tests compare them."""

from typing import Any


def text_of(item: dict[str, Any]) -> str:
    """Return the text of an item, in whichever form it carries it; a picture is `[picture]`."""
    content = item.get("content") or item.get("output") or ""
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text") or "[picture]" for part in content)
