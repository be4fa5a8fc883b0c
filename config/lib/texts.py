"""Text that Postgres and JSON can hold."""


def storable(text: str) -> str:
    """Give a text as it is but for NUL and lone surrogates, which become U+FFFD."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.replace("\x00", "\ufffd")
