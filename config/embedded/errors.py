"""What goes wrong at start-up, said in one line."""


class StartError(Exception):
    """Something outside this code has to be put right first; the message says what, without secrets."""
