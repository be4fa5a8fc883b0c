"""Checks of a deployment: what the rest of the system must look like for this configuration to work."""
