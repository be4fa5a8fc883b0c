"""How customers are shown, and the filters by customer that lists have."""

from typing import Any

from rest_framework import serializers

from channels_app import customer_object
from channels_app.models import Customer, PhoneNumber

TAG = "Customers"
EXAMPLE: dict[str, Any] = {
    "customer_id": "cus_01KB2T7M3G5Q8R9S0T1V2W3X4Y",
    "external_id": "cust-77",
    "name": "Ada",
    "username": "",
    "channel": "whatsapp",
    "address": "12025550123",
}
LONGEST_EXTERNAL_ID = 200


class CustomerSerializer(serializers.Serializer[Customer]):
    """A customer: the same object wherever a customer is shown."""

    customer_id = serializers.CharField(help_text="The customer, on one phone number.")
    external_id = serializers.CharField(
        allow_null=True,
        help_text="The id under which you know them: the user id of a web chat's identity token, the "
        "`customer_phone` of a message from your server, or the one you set; null = not known.",
    )
    name = serializers.CharField(help_text="Their name, as the channel or the identity token gives it.")
    username = serializers.CharField(help_text="Their user name on the channel, if they have one.")
    channel = serializers.ChoiceField(
        choices=PhoneNumber.Type.choices, help_text="The channel on which they write."
    )
    address = serializers.CharField(help_text="Their phone number, or their id on the channel.")

    def to_representation(self, instance: Customer) -> dict[str, Any]:
        """Return the customer object."""
        return customer_object.of(instance)


def customer_id_filter() -> serializers.CharField:
    """Create the filter by customer."""
    return serializers.CharField(required=False, max_length=50, help_text="Only with this customer.")


def external_id_filter() -> serializers.CharField:
    """Create the filter by the id under which the business knows a customer."""
    return serializers.CharField(
        required=False,
        trim_whitespace=False,
        max_length=LONGEST_EXTERNAL_ID,
        help_text="Only with customers that have exactly this `external_id`.",
    )
