"""The doors of the API to leads."""
