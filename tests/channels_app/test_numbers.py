"""A business's numbers."""

import pytest
from django.utils import timezone

from channels_app import numbers
from channels_app.models import PhoneNumber
from channels_app.numbers import (
    InvalidBaseUrlError,
    InvalidNumberError,
    NumberExistsError,
    NumberNotFoundError,
    UserNotFoundError,
)
from config.lib.tenancy import TenantMissingError
from tests.factories import PhoneNumberFactory, UserFactory
from tests.racing import at_once

ID = "309876543210987"


@pytest.fixture
def user(db):
    return UserFactory()


def registered(user, **changes) -> PhoneNumber:
    usual = {
        "user_id": user.user_id, "phone_number_id": ID, "type": "whatsapp",
        "external_number": "+12025550100", "access_token": "token",
    }  # fmt: skip
    return numbers.register(**{**usual, **changes})


def delete(number: PhoneNumber) -> None:
    PhoneNumber.objects.filter(pk=number.pk).update(deleted_at=timezone.now(), access_token="")


class TestOf:
    def test_keeps_what_belongs_to_the_user(self, user):
        mine, _ = PhoneNumberFactory(user=user), PhoneNumberFactory()

        assert list(PhoneNumber.objects.of(user.user_id)) == [mine]

    def test_is_refused_without_saying_whose(self, db):
        with pytest.raises(TenantMissingError):
            PhoneNumber.objects.of("")


class TestRegister:
    def test_keeps_a_number_with_its_token_encrypted(self, user):
        registered(
            user, display_name="Shop", api_base_url="https://graph.facebook.com/v25.0/", sender_id="12"
        )

        number = PhoneNumber.objects.get(pk=ID)
        assert (number.user, number.type, number.external_number, number.display_name) == (
            user, "whatsapp", "+12025550100", "Shop",
        )  # fmt: skip
        assert (number.api_base_url, number.sender_id) == ("https://graph.facebook.com/v25.0", "12")
        assert number.get_access_token() == "token"
        assert "token" not in number.access_token

    def test_gives_a_web_chat_an_id_and_wants_no_token(self, user):
        number = registered(user, type="webchat", phone_number_id="", access_token="")

        assert number.phone_number_id.startswith("web_")
        assert PhoneNumber.objects.get().access_token == ""

    @pytest.mark.parametrize("is_mine", [True, False])
    def test_does_not_tell_whose_a_number_is(self, user, is_mine):
        registered(user if is_mine else UserFactory())

        with pytest.raises(NumberExistsError, match=r"^this number is registered already$"):
            registered(user)

    def test_gives_a_deleted_number_back_to_its_user_as_if_it_were_new(self, user):
        old = registered(user, display_name="Old", sender_id="1")
        delete(old)

        registered(user, access_token="new", external_number="+1")

        number = PhoneNumber.objects.get()
        assert (number.deleted_at, number.display_name, number.sender_id) == (None, "", "")
        assert (number.get_access_token(), number.external_number) == ("new", "+1")
        assert number.created_at > old.created_at

    def test_does_not_give_a_deleted_number_to_another(self, user):
        delete(registered(UserFactory()))

        with pytest.raises(NumberExistsError):
            registered(user)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("type", "fax"), ("phone_number_id", ""), ("phone_number_id", "12/../34"),
            ("phone_number_id", "web_1"), ("access_token", ""), ("access_token", "to\nken"),
            ("sender_id", "me?fields=id"),
        ],
    )  # fmt: skip
    def test_refuses_what_no_request_to_graph_may_hold(self, user, field, value):
        with pytest.raises(InvalidNumberError) as refused:
            registered(user, **{field: value})

        assert refused.value.field == field
        assert not PhoneNumber.objects.exists()

    def test_refuses_a_web_chat_with_an_id_of_metas(self, user):
        with pytest.raises(InvalidNumberError):
            registered(user, type="webchat")

    def test_needs_a_user(self, db):
        with pytest.raises(TenantMissingError):
            numbers.register(user_id="", type="webchat", external_number="")
        with pytest.raises(UserNotFoundError):
            numbers.register(user_id="usr_none", type="webchat", external_number="")

    def test_of_several_at_once_lets_one_through(self, transactional_db):
        users = [UserFactory() for _ in range(4)]

        ended = at_once(*(lambda user=user: registered(user) for user in users))

        assert sorted(ended) == ["NumberExistsError"] * 3 + ["done"]
        assert PhoneNumber.objects.count() == 1

    def test_of_several_at_once_revives_once(self, transactional_db):
        user = UserFactory()
        delete(registered(user))

        ended = at_once(*[lambda: registered(user)] * 4)

        assert sorted(ended) == ["NumberExistsError"] * 3 + ["done"]


class TestBaseUrl:
    @pytest.mark.parametrize(
        "url",
        [
            "https://graph.facebook.com/v25.0", "https://graph.instagram.com", "https://GRAPH.facebook.com:443/",
            "http://127.0.0.1:9099/other",
        ],
    )  # fmt: skip
    def test_may_be_graphs_or_where_settings_say_graph_is(self, user, settings, url):
        settings.WHATSAPP_API_BASE_URL = "http://127.0.0.1:9099/v25.0"

        registered(user, api_base_url=url)

        assert PhoneNumber.objects.get().api_base_url == url.rstrip("/")

    @pytest.mark.parametrize(
        "url",
        [
            "http://graph.facebook.com/v25.0", "https://graph.facebook.com.evil.example/",
            "https://evil.example/graph.facebook.com", "https://graph.facebook.com@evil.example/",
            "https://me:secret@graph.facebook.com/", "https://graph.facebook.com:8443/",
            "https://graph.facebook.com:99999/", "https://169.254.169.254/", "http://127.0.0.1:9098/v25.0",
            "http://localhost:9099/v25.0", "https://graph.facebook.com/v25.0?x=", "https://graph.facebook.com/#",
            "https://graph.facebook.com/../", "//graph.facebook.com", "ftp://graph.facebook.com/", "graph",
            "https://graph.facebook.com\\@evil.example/", "https://graph.facebook.com/\n", "https://[::1/",
            "https://gr\u0430ph.facebook.com/", "https://graph.facebook.com/" + "v" * 200,
        ],
    )  # fmt: skip
    def test_may_be_nothing_else(self, user, settings, url):
        settings.WHATSAPP_API_BASE_URL = settings.INSTAGRAM_API_BASE_URL = "http://127.0.0.1:9099/v25.0"

        with pytest.raises(InvalidBaseUrlError):
            registered(user, api_base_url=url)

        assert not PhoneNumber.objects.exists()


class TestChange:
    def test_changes_what_is_given_and_leaves_the_rest(self, user):
        registered(user, display_name="Shop", sender_id="1")

        numbers.change(phone_number_id=ID, access_token="rotated", external_number="+1")

        number = PhoneNumber.objects.get()
        assert (number.get_access_token(), number.external_number) == ("rotated", "+1")
        assert (number.display_name, number.sender_id) == ("Shop", "1")

    def test_leaves_the_token_where_it_is_not_given(self, user):
        registered(user, api_base_url="https://graph.facebook.com/v25.0")

        numbers.change(phone_number_id=ID, display_name="New", api_base_url="")

        number = PhoneNumber.objects.get()
        assert (number.get_access_token(), number.display_name, number.api_base_url) == ("token", "New", "")

    def test_refuses_what_registering_refuses(self, user):
        registered(user)

        with pytest.raises(InvalidBaseUrlError):
            numbers.change(phone_number_id=ID, api_base_url="https://evil.example")
        with pytest.raises(InvalidNumberError):
            numbers.change(phone_number_id=ID, access_token="")

    def test_does_not_touch_who_it_belongs_to(self, user):
        registered(user)

        with pytest.raises(TypeError):
            numbers.change(phone_number_id=ID, user_id=UserFactory().user_id)

    def test_needs_a_live_number(self, user):
        delete(registered(user))

        for number in (ID, "1"):
            with pytest.raises(NumberNotFoundError):
                numbers.change(phone_number_id=number, display_name="x")
