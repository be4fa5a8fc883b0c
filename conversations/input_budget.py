"""
How much text and how many pictures one request to the model carries.

A turn may hold a hundred messages and a picture in each. The newest come first: what no longer fits is named
in a few words, and stays whole in our own transcript.
"""

from dataclasses import dataclass

# Of one message, and of all messages of a request; a WhatsApp message has at most 4,096 characters, the
# transcript of an hour's voice note about 50,000.
LONGEST_MESSAGE = 20_000
LONGEST_INPUT = 200_000
# As files; encoded they take a third more. OpenAI takes 50 MB in one request.
MOST_PICTURE_BYTES = 15 * 1024 * 1024

CUT = " [… the rest is too long to be shown]"


@dataclass(slots=True)
class InputBudget:
    """What is left for older messages of one request."""

    characters: int = LONGEST_INPUT
    picture_bytes: int = MOST_PICTURE_BYTES

    def fitted(self, text: str) -> str:
        """Return as much of a text as fits, with a note if it was cut, and take it from the budget."""
        room = min(LONGEST_MESSAGE, self.characters)
        self.characters -= min(len(text), room)
        return text if len(text) <= room else f"{text[:room]}{CUT}".lstrip()

    def takes_picture(self, size_bytes: int) -> bool:
        """Take a picture from the budget and return whether it fits; after one that does not, none does."""
        is_fitting = size_bytes <= self.picture_bytes
        self.picture_bytes = self.picture_bytes - size_bytes if is_fitting else 0
        return is_fitting
