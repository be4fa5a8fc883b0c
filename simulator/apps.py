"""Lets Django find the `simulate_customer` command; the simulator itself needs no Django."""

from django.apps import AppConfig


class SimulatorConfig(AppConfig):
    """The simulator has no tables and no views: it runs as a process of its own."""

    name = "simulator"
