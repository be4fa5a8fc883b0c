"""The simulator's part in Django: one command."""
