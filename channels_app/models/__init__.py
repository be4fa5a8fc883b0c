"""How words get in and out: numbers, customers, the inbox and what else a channel tells."""

from channels_app.models.customer import Customer
from channels_app.models.inbox import ChannelEvent, DeadLetter, InboundMessage
from channels_app.models.number import NumberCheck, PhoneNumber, PhoneNumberQuerySet
from channels_app.models.tombstone import Tombstone
from channels_app.models.web_chat import UnsentPicture, WebChat

__all__ = [
    "ChannelEvent",
    "Customer",
    "DeadLetter",
    "InboundMessage",
    "NumberCheck",
    "PhoneNumber",
    "PhoneNumberQuerySet",
    "Tombstone",
    "UnsentPicture",
    "WebChat",
]
