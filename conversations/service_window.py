"""When a business may write: on WhatsApp and Instagram, 24 hours from the customer's last message."""

from datetime import timedelta

from django.utils import timezone

from channels_app.models import Customer, InboundMessage, PhoneNumber

WINDOW = timedelta(hours=24)


class WindowClosedError(Exception):
    """The customer last wrote more than 24 hours ago: the channel takes nothing until they write again."""


def check(customer: Customer) -> None:
    """
    Check that the customer may be written to now.

    :raises WindowClosedError: if the channel would not take it
    """
    if customer.phone_number.type == PhoneNumber.Type.WEBCHAT:
        return
    newest = (
        InboundMessage.objects.filter(customer=customer)
        .order_by("-sent_at")
        .values_list("sent_at", flat=True)
        .first()
    )
    if newest is None or newest < timezone.now() - WINDOW:
        raise WindowClosedError("the customer last wrote more than 24 hours ago")
