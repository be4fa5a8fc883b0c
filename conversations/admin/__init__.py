"""The admin's pages of conversations, messages, turns and deliveries, and the replay of what came in."""

from conversations.admin import diagnosing, machinery, messages, replaying, talks  # noqa: F401  (registers them)
