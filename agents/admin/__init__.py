"""The admin's pages of agents, prompts and moves."""

from agents.admin import agents, numbers, prompts  # noqa: F401  (registers them)
