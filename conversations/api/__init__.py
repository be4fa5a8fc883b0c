"""The doors of the API to what was said."""
