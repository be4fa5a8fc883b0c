"""Whose number it is."""

import pytest

from channels_app import ownership
from channels_app.ownership import NotTheOwnerError


class TestOwnership:
    def test_is_proved_by_a_token_that_can_read_the_number(self, simulator):
        ownership.verify(phone_number_id="109876543210987", channel="whatsapp", access_token="token")

    @pytest.mark.parametrize("token", ["", "to\nken", "tok…n"])
    def test_is_not_proved_by_a_token_that_graph_refuses_or_no_header_can_hold(self, simulator, token):
        with pytest.raises(NotTheOwnerError):
            ownership.verify(phone_number_id="109876543210987", channel="whatsapp", access_token=token)

    def test_is_not_proved_where_graph_cannot_be_asked(self, simulator):
        with pytest.raises(NotTheOwnerError):
            ownership.verify(
                phone_number_id="1", channel="instagram", access_token="token",
                api_base_url="http://127.0.0.1:1/v25.0",
            )  # fmt: skip
