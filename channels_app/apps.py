"""How words get in and out."""

from django.apps import AppConfig


class ChannelsConfig(AppConfig):
    """Names the room for people."""

    name = "channels_app"
    verbose_name = "Channels"
