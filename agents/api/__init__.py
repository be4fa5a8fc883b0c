"""Doors of the API: numbers, agents, prompts, and the record of who answered before."""
