"""Configuration, and what every room may use; importing it makes the Celery app known."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
