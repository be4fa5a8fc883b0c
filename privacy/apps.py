"""What becomes of personal data: erasure and export of a customer."""

from django.apps import AppConfig


class PrivacyConfig(AppConfig):
    """Names the room for people."""

    name = "privacy"
    verbose_name = "Privacy"
