"""The admin's pages of conversations, messages, turns and deliveries, and the replay of what came in."""

from conversations.admin import conversations, diagnosing, messages, replaying, turns  # noqa: F401  (registers them)
