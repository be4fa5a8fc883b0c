"""The admin's pages of numbers, web chats, customers, the inbox and what else a channel told."""

from channels_app.admin import webchat as webchat
from channels_app.admin.numbers import known_as

__all__ = ["known_as"]
