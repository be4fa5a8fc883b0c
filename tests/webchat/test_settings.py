"""A business says in the API, and its staff in the admin, how its chat looks and where it may stand."""

import pytest

from channels_app.models import WebChat
from channels_app.webchat import chats
from tests.admin.test_buttons import press, refusals
from tests.api import caller
from tests.webchat.browser_calls import SHOP, Browser

pytestmark = pytest.mark.django_db


@pytest.fixture
def business(chat):
    """Somebody with a key of whoever has the chat."""
    return caller.business(chat.phone_number.user_id)


@pytest.fixture
def url(chat):
    return f"/users/{chat.phone_number.user_id}/phone_numbers"


@pytest.fixture
def staff(chat, client, django_user_model):
    client.force_login(django_user_model.objects.create_superuser("ana", password="x" * 20))
    return client


class TestRegistering:
    def test_shows_the_secret_this_once(self, business, url):
        given = {"type": "webchat", "webchat": {"allowed_origins": ["https://Shop.example/"], "title": "Hi"}}

        answer = business.post(url, given)

        made = answer.json()
        assert answer.status_code == 201
        assert made["webchat_secret"].startswith("wcs_")
        assert len(made["webchat_secret"]) == 47
        assert made["webchat"]["allowed_origins"] == ["https://shop.example"]
        assert made["webchat"]["title"] == "Hi"
        assert f'data-phone-number-id="{made["phone_number_id"]}"' in made["webchat"]["embed_snippet"]
        assert made["webchat_secret"] not in business.get(answer["Location"]).content.decode()
        assert made["webchat_secret"] not in WebChat.objects.get(pk=made["phone_number_id"]).secret

    def test_of_another_channel_takes_no_looks(self, business, url):
        given = {"type": "whatsapp", "phone_number_id": "309876543210987", "access_token": "token"}

        answer = business.post(url, {**given, "webchat": {"title": "Hi"}})

        assert (answer.status_code, answer.json()["code"]) == (422, "not_a_web_chat")
        assert business.post(url, given).status_code == 201

    def test_again_after_deleting_gives_a_new_secret(self, business, url, chat):
        business.delete(f"{url}/{chat.pk}")
        wiped = WebChat.objects.get(pk=chat.pk).secret

        answer = business.post(url, {"type": "webchat", "phone_number_id": chat.pk})

        assert wiped == ""
        assert answer.json()["webchat_secret"] not in {"", chat.new_secret}
        assert answer.json()["webchat"]["allowed_origins"] == [SHOP]


class TestChanging:
    def test_changes_what_is_sent(self, business, url, chat):
        looks = {"color": "#FF0000", "texts": {"send": "Go"}, "position": "left", "daily_limit": 7}

        answer = business.patch(f"{url}/{chat.pk}", {"webchat": looks})

        shown = answer.json()["webchat"]
        assert answer.status_code == 200
        assert shown | looks | {"color": "#ff0000"} == shown
        assert shown["allowed_origins"] == [SHOP]
        assert Browser(chat).get("config").json()["texts"] == {"send": "Go"}

    @pytest.mark.parametrize(
        ("looks", "status"),
        [
            ({"allowed_origins": ["http://shop.example"]}, 422),
            ({"allowed_origins": ["*"]}, 422),
            ({"allowed_origins": [f"https://{n}.example" for n in range(51)]}, 400),
            ({"texts": {"nonsense": "x"}}, 422),
            ({"texts": {"send": "x" * 201}}, 400),
            ({"texts": {"send": 7}}, 400),
            ({"title": "x" * 61}, 400),
            ({"color": "red"}, 400),
            ({"color": "#ff0000;}"}, 400),
            ({"theme": "pink"}, 400),
            ({"daily_limit": -1}, 400),
            ({"secret": "mine"}, 400),
        ],
    )
    def test_refuses_what_no_chat_looks_like(self, business, url, chat, looks, status):
        answer = business.patch(f"{url}/{chat.pk}", {"webchat": looks})

        assert answer.status_code == status
        assert chats.known(chat.pk).allowed_origins == [SHOP]


class TestSecret:
    def test_is_replaced(self, business, url, chat):
        answer = business.post(f"{url}/{chat.pk}/webchat_secret")

        secret = answer.json()["webchat_secret"]
        assert answer.status_code == 200
        assert chats.known(chat.pk).get_secret() == secret != chat.new_secret

    def test_of_another_channel_there_is_none(self, business, url):
        given = {"type": "whatsapp", "phone_number_id": "309876543210987", "access_token": "token"}
        business.post(url, given)

        answer = business.post(f"{url}/309876543210987/webchat_secret")

        assert (answer.status_code, answer.json()["code"]) == (422, "not_a_web_chat")


class TestAdmin:
    def test_shows_no_secret(self, staff, chat):
        page = staff.get(f"/admin/channels_app/webchat/{chat.pk}/change/").content.decode()

        assert chat.pk in page
        assert "data-phone-number-id" in page
        assert chat.secret not in page

    def test_changes_how_it_looks(self, staff, chat):
        said = {
            "allowed_origins": f"{SHOP}\nhttps://other.example", "title": "New", "color": "#00ff00",
            "position": "left", "theme": "dark", "texts": '{"send": "Go"}', "daily_limit": "9",
        }  # fmt: skip

        press(staff, chat, "change-web-chat", **said)

        now = chats.known(chat.pk)
        assert now.allowed_origins == [SHOP, "https://other.example"]
        assert (now.title, now.color, now.texts, now.daily_limit) == ("New", "#00ff00", {"send": "Go"}, 9)

    def test_says_what_is_wrong(self, staff, chat):
        said = {"allowed_origins": "http://shop.example", "color": "#00ff00", "position": "left",
                "theme": "dark", "daily_limit": "9"}  # fmt: skip

        assert "https" in refusals(press(staff, chat, "change-web-chat", **said))

    def test_shows_a_new_secret_this_once(self, staff, chat):
        page = press(staff, chat, "rotate-web-chat-secret").content.decode()

        assert chats.known(chat.pk).get_secret() in page
