"""The admin's pages of agents, prompts and moves."""

from agents.admin import answering, numbers, speaking  # noqa: F401  (registers them)
