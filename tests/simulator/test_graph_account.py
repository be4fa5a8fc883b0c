"""What the simulated Graph says of a number, its token and its subscriptions."""

import pytest
import requests

NUMBER = "109876543210987"
WABA = "201234567890123"
INSTAGRAM = "17841400000000001"


def get(simulator, path, *, method="get", **query):
    headers = {"Authorization": "Bearer token"}
    return requests.request(method, f"{simulator.url}/v25.0/{path}", params=query, headers=headers, timeout=5)


class TestNumber:
    def test_has_the_fields_that_were_asked_for_and_its_id(self, simulator):
        found = get(simulator, NUMBER, fields="status,whatsapp_business_manager_messaging_limit").json()

        assert found == {
            "id": NUMBER,
            "status": "CONNECTED",
            "whatsapp_business_manager_messaging_limit": "TIER_10K",
        }

    def test_has_no_other_fields(self, simulator):
        answer = get(simulator, NUMBER, fields="messaging_limits")

        assert answer.status_code == 400
        assert answer.json()["error"]["message"] == (
            "(#100) Tried accessing nonexisting field (messaging_limits) on node type "
            "(WhatsAppBusinessPhoneNumber)"
        )

    def test_health_names_what_stands_in_the_way(self, simulator):
        fault = {"error_code": 141006, "error_description": "No payment.", "possible_solution": "Pay."}
        simulator.behave(account={"can_send_message": "BLOCKED", "faults": [fault]})

        health = get(simulator, NUMBER, fields="health_status").json()["health_status"]

        assert health["can_send_message"] == "BLOCKED"
        assert [entity["entity_type"] for entity in health["entities"]] == [
            *("PHONE_NUMBER", "WABA", "BUSINESS", "APP")
        ]
        assert health["entities"][1]["errors"] == [fault]


class TestToken:
    def test_is_described(self, simulator):
        simulator.behave(account={"token_expires_in": 60})

        data = get(simulator, "debug_token", input_token="another").json()["data"]

        assert data["is_valid"] is True
        assert data["expires_at"] > data["issued_at"]
        assert "whatsapp_business_messaging" in data["scopes"]

    def test_must_be_named(self, simulator):
        assert "input_token" in get(simulator, "debug_token").json()["error"]["message"]

    def test_that_expired_is_refused_and_described(self, simulator):
        simulator.behave(account={"token": "expired"})

        refused = get(simulator, NUMBER)
        own = get(simulator, "debug_token", input_token="token")
        other = get(simulator, "debug_token", input_token="another").json()["data"]

        assert [refused.status_code, own.status_code] == [401, 401]
        assert refused.json()["error"]["error_subcode"] == 463
        assert (other["is_valid"], other["error"]["code"]) == (False, 190)

    def test_that_was_revoked_sends_nothing(self, simulator):
        simulator.behave(account={"token": "revoked"})

        assert simulator.send_text().json()["error"]["code"] == 190


class TestSubscriptions:
    def test_of_an_account_name_the_app(self, simulator):
        [app] = get(simulator, f"{WABA}/subscribed_apps").json()["data"]

        assert set(app["whatsapp_business_api_data"]) == {"link", "name", "id"}

    def test_of_instagram_name_the_fields(self, simulator):
        [app] = get(simulator, f"{INSTAGRAM}/subscribed_apps").json()["data"]

        assert "messages" in app["subscribed_fields"]

    def test_can_be_made(self, simulator):
        simulator.behave(account={"is_subscribed": False})
        before = get(simulator, f"{WABA}/subscribed_apps").json()
        made = get(simulator, f"{WABA}/subscribed_apps", method="post").json()

        assert (before, made) == ({"data": []}, {"success": True})
        assert get(simulator, f"{WABA}/subscribed_apps").json()["data"]

    def test_of_a_number_do_not_exist(self, simulator):
        answer = get(simulator, f"{NUMBER}/subscribed_apps")

        assert answer.status_code == 400
        assert "WhatsAppBusinessPhoneNumber" in answer.json()["error"]["message"]


class TestBehaviour:
    @pytest.mark.parametrize(
        "account",
        [
            {"token": "lost"},
            {"is_subscribed": 1},
            {"status": 1},
            {"token_expires_in": -1},
            {"permissions": "all"},
            {"faults": [{"error_code": 1}]},
            {"faults": [{"error_code": "1", "error_description": "", "possible_solution": ""}]},
            {"unknown": 1},
        ],
    )
    def test_nonsense_is_refused(self, simulator, account):
        answer = requests.post(f"{simulator.url}/_simulator/behaviour", json={"account": account}, timeout=5)

        assert answer.status_code == 400
        assert "account" in answer.json()["error"]
