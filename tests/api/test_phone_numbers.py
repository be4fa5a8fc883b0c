import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents.models import ConversationArchive
from channels_app.models import PhoneNumber
from tests.factories import AgentFactory, CustomerFactory, InboundMessageFactory, PhoneNumberFactory

pytestmark = pytest.mark.django_db

ID = "309876543210987"
TOKEN = "EAAG-very-secret"
NEW = {"phone_number_id": ID, "type": "whatsapp", "external_number": "+12025550100", "access_token": TOKEN}


@pytest.fixture
def url(user):
    return f"/users/{user.user_id}/phone_numbers"


@pytest.fixture
def nobody_at_graph(settings):
    settings.WHATSAPP_API_BASE_URL = settings.INSTAGRAM_API_BASE_URL = "http://127.0.0.1:1/v25.0"


class TestRegistering:
    def test_gives_the_number_and_keeps_its_token_to_itself(self, business, url):
        answer = business.post(url, {**NEW, "display_name": "Shop"})

        made = answer.json()
        assert answer.status_code == 201
        assert answer["Location"] == f"{url}/{ID}"
        assert business.get(answer["Location"]).json() | {"webchat_secret": None} == made
        assert made == {
            "phone_number_id": ID, "type": "whatsapp", "external_number": "+12025550100",
            "display_name": "Shop", "has_access_token": True, "agent_id": None, "sender_id": "",
            "api_base_url": "", "webchat": None, "webchat_secret": None, "created_at": made["created_at"],
            "state": {
                "status": "no_agent", "last_received_at": None, "last_sent_at": None, "last_error": None,
            },
        }  # fmt: skip
        assert TOKEN not in answer.content.decode()
        assert PhoneNumber.objects.get(pk=ID).get_access_token() == TOKEN

    def test_gives_a_web_chat_an_id(self, business, url):
        answer = business.post(url, {"type": "webchat"})

        assert answer.status_code == 201
        assert answer.json()["phone_number_id"].startswith("web_")
        assert answer.json()["has_access_token"] is False

    def test_takes_back_a_number_that_was_deleted(self, business, url):
        business.post(url, NEW)
        business.delete(f"{url}/{ID}")

        assert business.post(url, NEW).status_code == 201

    def test_refuses_one_that_is_registered_whoever_has_it(self, business, url):
        PhoneNumberFactory(phone_number_id=ID)

        answer = business.post(url, NEW)

        assert (answer.status_code, answer.json()["code"]) == (409, "phone_number_exists")

    @pytest.mark.parametrize(
        ("changes", "field", "code"),
        [
            ({"type": "fax"}, "type", "invalid_choice"),
            ({"phone_number_id": "a b"}, "phone_number_id", "invalid"),
            ({"phone_number_id": "1\n"}, "phone_number_id", "invalid"),
            ({"phone_number_id": "1" * 51}, "phone_number_id", "invalid"),
            ({"phone_number_id": 309876543210987}, "phone_number_id", "invalid"),
            ({"access_token": "tok en"}, "access_token", "invalid"),
            ({"access_token": "tok\nen"}, "access_token", "invalid"),
            ({"access_token": "t" * 4097}, "access_token", "max_length"),
            ({"external_number": "1" * 101}, "external_number", "max_length"),
            ({"verify": "yes"}, "verify", "invalid"),
            ({"user_id": "usr_other"}, "user_id", "unknown_field"),
            ({"created_at": "2026-01-01T00:00:00Z"}, "created_at", "unknown_field"),
        ],
    )
    def test_names_the_field_that_does_not_fit(self, business, url, changes, field, code):
        answer = business.post(url, {**NEW, **changes})

        assert answer.status_code == 400
        assert (field, code) in {(error["field"], error["code"]) for error in answer.json()["errors"]}
        assert not PhoneNumber.objects.exists()

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"phone_number_id": "web_shop"}, "phone_number_id"),
            ({"type": "webchat"}, "phone_number_id"),
            ({"sender_id": "me"}, "sender_id"),
            ({"api_base_url": "https://example.com/v25.0"}, "api_base_url"),
            ({"api_base_url": "https://example.com/v25.0", "verify": True}, "api_base_url"),
        ],
    )
    def test_names_the_field_of_which_no_number_can_be_made(self, business, url, changes, field):
        answer = business.post(url, {**NEW, **changes})

        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_phone_number")
        assert [error["field"] for error in answer.json()["errors"]] == [field]
        assert TOKEN not in answer.content.decode()

    @pytest.mark.parametrize("missing", ["phone_number_id", "access_token"])
    def test_needs_an_id_and_a_token_but_for_web_chats(self, business, url, missing):
        answer = business.post(url, {name: value for name, value in NEW.items() if name != missing})

        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == [missing]


class TestVerifying:
    def test_keeps_a_number_whose_token_can_read_it(self, simulator, business, url):
        assert business.post(url, {**NEW, "verify": True}).status_code == 201

    def test_refuses_a_token_that_cannot(self, nobody_at_graph, business, url):
        answer = business.post(url, {**NEW, "verify": True})

        assert (answer.status_code, answer.json()["code"]) == (422, "token_not_valid")
        assert TOKEN not in answer.content.decode()
        assert not PhoneNumber.objects.exists()

    def test_is_not_left_to_the_caller_in_production(self, nobody_at_graph, business, url, settings):
        settings.IS_PRODUCTION = True

        assert business.post(url, NEW).json()["code"] == "token_not_valid"
        assert business.post(url, {"type": "webchat"}).status_code == 201

    def test_says_so_where_there_is_nothing_to_verify(self, business, url, user):
        number = PhoneNumberFactory(user=user)

        answers = [
            business.post(url, {"type": "webchat", "verify": True}),
            business.patch(f"{url}/{number.pk}", {"verify": True}),
        ]

        assert [answer.json()["code"] for answer in answers] == ["nothing_to_verify"] * 2

    def test_keeps_the_old_token_where_the_new_one_is_refused(self, nobody_at_graph, business, url, user):
        number = PhoneNumberFactory(user=user)

        answer = business.patch(f"{url}/{number.pk}", {"access_token": TOKEN, "verify": True})

        assert (answer.status_code, answer.json()["code"]) == (422, "token_not_valid")
        number.refresh_from_db()
        assert number.get_access_token() == "graph-token"


class TestChanging:
    def test_rotates_the_token_and_leaves_the_rest(self, simulator, business, url, user):
        number = PhoneNumberFactory(user=user, display_name="Shop")

        answer = business.patch(f"{url}/{number.pk}", {"access_token": TOKEN, "verify": True})

        number.refresh_from_db()
        assert (answer.status_code, answer.json()["display_name"]) == (200, "Shop")
        assert number.get_access_token() == TOKEN
        assert TOKEN not in answer.content.decode()

    def test_changes_only_what_is_sent(self, business, url, user):
        number = PhoneNumberFactory(user=user, display_name="Shop")

        answer = business.patch(f"{url}/{number.pk}", {"external_number": "+12025550199"})

        assert (answer.json()["external_number"], answer.json()["display_name"]) == ("+12025550199", "Shop")
        assert answer["ETag"] == business.get(f"{url}/{number.pk}")["ETag"]

    @pytest.mark.parametrize("name", ["type", "phone_number_id", "agent_id"])
    def test_refuses_what_cannot_be_changed(self, business, url, user, name):
        number = PhoneNumberFactory(user=user)

        answer = business.patch(f"{url}/{number.pk}", {name: "webchat"})

        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "unknown_field")

    def test_is_refused_when_somebody_else_was_quicker(self, business, url, user):
        number = PhoneNumberFactory(user=user)
        seen = business.get(f"{url}/{number.pk}")["ETag"]
        business.patch(f"{url}/{number.pk}", {"display_name": "Other"})

        answer = business.patch(f"{url}/{number.pk}", {"display_name": "Mine"}, If_Match=seen)

        assert answer.status_code == 412
        assert PhoneNumber.objects.get().display_name == "Other"


class TestDeleting:
    def test_hides_the_number_and_leaves_its_agent_without_one(self, business, url, user):
        agent = AgentFactory(phone_number__user=user)
        number = agent.phone_number_id

        answer = business.delete(f"{url}/{number}")

        agent.refresh_from_db()
        assert answer.status_code == 204
        assert agent.phone_number_id is None
        assert ConversationArchive.objects.get(old_agent=agent).phone_number_id == number
        assert business.get(url).json()["data"] == []

    def test_finds_nothing_a_second_time(self, business, url, user):
        number = PhoneNumberFactory(user=user)
        business.delete(f"{url}/{number.pk}")

        assert [
            business.delete(f"{url}/{number.pk}").status_code,
            business.get(f"{url}/{number.pk}").status_code,
            business.patch(f"{url}/{number.pk}", {"display_name": "x"}).status_code,
        ] == [404, 404, 404]

    def test_leaves_others_numbers_alone(self, business, url):
        number = PhoneNumberFactory()

        answers = [
            business.get(f"{url}/{number.pk}"),
            business.patch(f"{url}/{number.pk}", {"display_name": "Mine"}),
            business.delete(f"{url}/{number.pk}"),
        ]

        number.refresh_from_db()
        assert [answer.status_code for answer in answers] == [404, 404, 404]
        assert (number.display_name, number.deleted_at) == ("", None)


class TestListing:
    def test_shows_the_users_own_with_whoever_answers(self, business, url, user):
        agent = AgentFactory(phone_number__user=user)
        AgentFactory()

        data = business.get(url).json()["data"]

        assert [(one["phone_number_id"], one["agent_id"]) for one in data] == [
            (agent.phone_number_id, agent.agent_id)
        ]

    def test_narrows_it_to_a_channel(self, business, url, user):
        PhoneNumberFactory(user=user)
        chat = PhoneNumberFactory(user=user, type="webchat")

        assert [one["phone_number_id"] for one in business.get(f"{url}?type=webchat").json()["data"]] == [
            chat.pk
        ]
        assert business.get(f"{url}?type=fax").status_code == 400

    def test_goes_page_by_page_while_numbers_are_added(self, business, url, user):
        made = {PhoneNumberFactory(user=user).pk for _ in range(5)}
        seen, following = [], f"{url}?limit=2"
        while following:
            answer = business.get(following).json()
            seen += [one["phone_number_id"] for one in answer["data"]]
            PhoneNumberFactory(user=user)
            following = answer["next_cursor"] and f"{url}?limit=2&cursor={answer['next_cursor']}"

        assert (set(seen), len(seen)) == (made, 5)

    def test_asks_no_more_for_many_than_for_one(self, business, url, user):
        AgentFactory(phone_number__user=user)
        business.get(url)
        with CaptureQueriesContext(
            connection,
        ) as one:
            business.get(url)
        for _ in range(10):
            AgentFactory(phone_number__user=user)

        with CaptureQueriesContext(connection) as many:
            assert len(business.get(url).json()["data"]) == 11

        assert len(many) == len(one)


class TestState:
    def test_number_and_list_show_the_same_state(self, business, user):
        silent, served = PhoneNumberFactory(user=user), AgentFactory(phone_number__user=user).phone_number
        place = f"/users/{user.user_id}/phone_numbers"

        listed = {row["phone_number_id"]: row["state"] for row in business.get(place).json()["data"]}

        assert listed[silent.pk] == {
            "status": "no_agent",
            "last_received_at": None,
            "last_sent_at": None,
            "last_error": None,
        }
        assert listed[served.pk]["status"] == "active"
        for pk, state in listed.items():
            assert business.get(f"{place}/{pk}").json()["state"] == state

    def test_list_is_narrowed_by_status(self, business, user):
        silent = PhoneNumberFactory(user=user)
        AgentFactory(phone_number__user=user)

        found = business.get(f"/users/{user.user_id}/phone_numbers?status=no_agent").json()["data"]

        assert [row["phone_number_id"] for row in found] == [silent.pk]

    def test_list_reads_all_states_at_once(self, business, user):
        place, counts = f"/users/{user.user_id}/phone_numbers", []
        for _ in range(3):
            PhoneNumberFactory(user=user)
            with CaptureQueriesContext(connection) as queries:
                business.get(place)
            counts.append(len(queries))

        # The first call notes that the key is used.
        assert counts[1] == counts[2]

    def test_message_changes_the_state_and_not_the_etag(self, business, user):
        number = PhoneNumberFactory(user=user)
        place = f"/users/{user.user_id}/phone_numbers/{number.pk}"
        before = business.get(place)

        InboundMessageFactory(customer=CustomerFactory(phone_number=number))

        after = business.get(place)
        assert after.json()["state"] != before.json()["state"]
        assert after["ETag"] == before["ETag"]
        assert business.patch(place, {"display_name": "New"}, If_Match=before["ETag"]).status_code == 200
        assert business.patch(place, {"display_name": "X"}, If_Match=before["ETag"]).status_code == 412
