"""Every button that changes a configuration leaves an entry in the audit log; pages link to it."""

import pytest
from django.contrib import admin
from django.urls import reverse
from django.utils import timezone

from billing import keys, ledger
from billing.audit import Action
from billing.models import ApiKey, AuditEntry, Credit, User, WebhookEndpoint
from channels_app.models import PhoneNumber, WebChat
from config.admin.buttons import admin_url
from conversations.models import Message
from tests import factories
from tests.admin.test_buttons import press, press_on_list
from tests.admin.test_permissions import buttons

# Buttons that change the configuration or a balance, and what their forms are filled in with.
AUDITED = {
    "api key": {
        "create-operator-key": {"name": "laptop"},
        "revoke": {},
        "create-key": {"name": "crm", "scope": "read"},
    },
    "business": {
        "open-account": {"email": "new@example.com", "timezone": "UTC"},
        "change-business": {"email": "new@example.com", "timezone": "UTC"},
        "grant": {"amount": "5", "reason": "x", "reference": "admin:01KB2T7M3G5Q8R9S0T1V2W3X4Y"},
        "adjust": {"amount": "5", "reason": "x", "reference": "admin:01KB2T7M3G5Q8R9S0T1V2W3X4Y"},
    },
    "agent": {
        "create-agent": {"name": "Second"},
        "change-agent": {"name": "Other"},
        "import-prompt": {"instructions": "Be kind.", "variables": "{}"},
        "relink": {},
        "delete-agent": {},
    },
    "prompt": {
        "create-prompt": {"name": "New", "instructions": "Be kind."},
        "publish": {"instructions": "Be kind."},
        "rollback": {"to": "1"},
    },
    "number": {
        "register-number": {"type": "whatsapp", "phone_number_id": "555000111", "external_number": "+1",
                            "access_token": "EAA-token"},
        "change-number": {"display_name": "Other", "external_number": "+1", "access_token": "EAA-token"},
        "delete-number": {},
    },
    "web chat": {
        "change-web-chat": {"title": "Other", "color": "#112233", "position": "left", "theme": "dark",
                            "daily_limit": "5"},
        "rotate-web-chat-secret": {},
    },
    "endpoint": {"enable-endpoint": {}, "disable-endpoint": {}},
    "message": {"refund": {"reason": "goodwill"}},
    "customer": {"erase-customer": {"confirmation": "erase"}, "export-customer": {}},
}  # fmt: skip
# Buttons on rows that are no configuration, or that only send something.
NOT_RECORDED = {
    *("reply", "pause", "resume", "close", "retry", "correct", "read-again", "read-lead", "replay"),
    *("replay-span", "test-endpoint", "redeliver-failed", "redeliver", "send-again", "diagnose"),
}
FILLED_IN = {name: said for named in AUDITED.values() for name, said in named.items()}
PAGES = {"api_key": ApiKey, "user": User, "webhook_endpoint": WebhookEndpoint, "number": PhoneNumber}


def row_for(name, model, house):
    """Return a row on which the button does something."""
    row = next(row for row in vars(house).values() if isinstance(row, model))
    if name == "refund":
        ledger.grant(user_id=house.business.pk, amount=1, reference="grant")
        ledger.charge(user_id=house.business.pk, amount=1, reference=house.answer.turn_id)
        Message.objects.filter(pk=house.answer.pk).update(status="unknown", unknown_at=timezone.now())
        return house.answer
    if name == "import-prompt":
        type(row).objects.filter(pk=row.pk).update(prompt_id="pmpt_123")
    if name == "relink":
        return factories.AgentFactory(user=row.user, phone_number=None)
    if name == "rollback":
        factories.PromptVersionFactory(prompt=row, number=2)
        type(row).objects.filter(pk=row.pk).update(current_version=2)
    if name == "enable-endpoint":
        from billing.webhooks import endpoints

        endpoints.change(row, is_enabled=False)
    if isinstance(row, WebChat):
        # A secret that can be replaced.
        row.phone_number.refresh_from_db()
    return row


class TestEveryButton:
    def test_is_recorded_or_has_a_reason_not_to_be(self):
        assert {button.name for _, button, _ in buttons()} == set(FILLED_IN) | NOT_RECORDED

    @pytest.mark.parametrize("name", FILLED_IN)
    def test_leaves_an_entry_that_names_the_staff_member(self, name, house, people):
        model, _, is_of_row = next(found for found in buttons() if found[1].name == name)
        said = dict(FILLED_IN[name])
        row = row_for(name, model, house) if is_of_row else None
        if name in {"create-agent", "change-agent"}:
            said["prompt_id"] = house.prompt.pk
        if name == "relink":
            said |= {"phone_number_id": house.number.pk, "replace": "on"}
        before = AuditEntry.objects.count()

        if row is None:
            press_on_list(people.operators, f"{model._meta.app_label}_{model._meta.model_name}", name, **said)
        else:
            press(people.operators, row, name, **said)

        entries = AuditEntry.objects.order_by("id")[before:]
        assert entries, "no entry: record it, or say in NOT_RECORDED why not"
        for entry in entries:
            assert (entry.actor_kind, entry.actor_id, entry.address) == ("staff", "otto", "127.0.0.1")
            assert entry.action in list(Action)


class TestPages:
    def test_of_the_configuration_link_to_their_entries(self, house, people):
        for row in (
            house.key,
            house.business,
            house.agent,
            house.prompt,
            house.number,
            house.chat,
            house.endpoint,
        ):
            assert admin.site.get_model_admin(type(row)).is_audited
            link = f"{reverse('admin:billing_auditentry_changelist')}?q={row.pk}"

            assert link in people.operators.get(admin_url(row)).content.decode()
            assert link not in people.support.get(admin_url(row)).content.decode()

    def test_show_the_entries_of_an_object(self, house, people):
        press(people.operators, house.business, "change-business", email="n@example.com", timezone="UTC",
              company_name="Renamed")  # fmt: skip

        content = people.operators.get(
            reverse("admin:billing_auditentry_changelist"), {"q": house.business.pk}
        ).content.decode()

        assert "company_name: " in content
        assert "Renamed" in content
        assert "staff otto" in content
        assert "n@example.com" not in content

    def test_of_a_key_shows_its_rights_and_origin(self, house, people):
        number = house.number.pk
        key, _ = keys.create(user_id=house.business.pk, name="x", scope="read", phone_number_ids=[number])

        content = people.operators.get(admin_url(key)).content.decode()

        for shown in ("Scope", "Read", number, "Created by", "Parent"):
            assert shown in content


class TestKeys:
    def test_are_revoked_with_their_descendants(self, house, people):
        from config.lib import actors
        from config.lib.actors import Actor, ActorKind

        with actors.acting(Actor(ActorKind.KEY, house.key.pk)):
            child, _ = keys.create(user_id=house.business.pk, name="child")

        form = people.operators.get(admin_url(house.key).replace("/change/", "/revoke/")).content.decode()
        press(people.operators, house.key, "revoke", descendants="on")

        child.refresh_from_db()
        assert child.pk in form
        assert child.revoked_at is not None

    def test_are_made_for_some_numbers_of_the_business_only(self, house, people):
        foreign = factories.PhoneNumberFactory()

        refused = press(people.operators, house.business, "create-key", name="x", phone_number_ids=foreign.pk)
        press(people.operators, house.business, "create-key", name="x", phone_number_ids=house.number.pk)

        assert "no phone number with this id" in refused.content.decode()
        assert ApiKey.objects.get(name="x").phone_number_ids == [house.number.pk]


def test_credits_of_a_business_are_recorded_under_its_id(house, people):
    press(people.operators, Credit.objects.get(user=house.business), "grant", amount="5", reason="x",
          reference="admin:01KB2T7M3G5Q8R9S0T1V2W3X4Y")  # fmt: skip

    entry = AuditEntry.objects.filter(action="credits.granted").latest("id")
    assert (entry.object_id, entry.changes["amount"]["after"]) == (house.business.pk, 5)
