"""Erasure and export in the API, and Meta's callback."""
