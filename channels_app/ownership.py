"""
Whose number it is: a token that can read the number's id from Graph belongs to its owner.

https://developers.facebook.com/documentation/business-messaging/whatsapp/reference/whatsapp-business-phone-number
"""

from django.conf import settings

from channels_app import numbers
from channels_app.models import PhoneNumber
from config.lib import outbound


class NotTheOwnerError(Exception):
    """The token does not let its bearer read this number."""


def require(
    *,
    channel: str,
    phone_number_id: str,
    access_token: str,
    api_base_url: str = "",
    is_requested: bool = False,
) -> None:
    """
    Check with Graph whose number it is: in production always, elsewhere on request.

    The token is sent nowhere before it is sure that this can be a number, at an address that is Graph's. Call
    it with no transaction open. A web chat belongs to whoever makes it.

    :raises InvalidNumberError: if a number cannot look like this
    :raises NotTheOwnerError: if the token may not read it, or Graph could not be asked
    """
    numbers.check(
        type=channel, phone_number_id=phone_number_id, access_token=access_token, api_base_url=api_base_url
    )
    if (is_requested or settings.IS_PRODUCTION) and channel != PhoneNumber.Type.WEBCHAT:
        verify(
            phone_number_id=phone_number_id,
            channel=channel,
            access_token=access_token,
            api_base_url=api_base_url.rstrip("/"),
        )


def verify(*, phone_number_id: str, channel: str, access_token: str, api_base_url: str = "") -> None:
    """
    Check that a token may read a number from Graph, so that nobody can register another's.

    :raises NotTheOwnerError: if it may not, or Graph could not be asked
    """
    default = (
        settings.INSTAGRAM_API_BASE_URL
        if channel == PhoneNumber.Type.INSTAGRAM
        else settings.WHATSAPP_API_BASE_URL
    )
    url = f"{api_base_url or default}/{phone_number_id}?fields=id"
    try:
        answer = outbound.get_json(url, token=access_token, timeout=10)
    except (outbound.NotSentError, outbound.NoAnswerError) as error:
        raise NotTheOwnerError("Graph could not be asked whose number it is") from error
    if str(answer.get("id")) != phone_number_id:
        raise NotTheOwnerError("the access token cannot read this number")
