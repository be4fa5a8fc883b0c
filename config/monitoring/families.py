"""Metrics whose values are read when somebody asks for them."""

from collections.abc import Iterable

from prometheus_client.metrics_core import GaugeMetricFamily


def gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    """Return a gauge with one value."""
    return GaugeMetricFamily(f"agents_{name}", text, value=value)


def gauge_by(name: str, text: str, label: str, values: Iterable[tuple[str, float]]) -> GaugeMetricFamily:
    """Return a gauge with a value for each value of a label."""
    family = GaugeMetricFamily(f"agents_{name}", text, labels=[label])
    for key, value in values:
        family.add_metric([key], value)
    return family
