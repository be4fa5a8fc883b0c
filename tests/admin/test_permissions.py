"""Who may press what: a button is neither shown to nor taken from those who may not."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.urls import get_resolver, reverse

from config.admin import groups
from config.admin.buttons import admin_url
from config.admin.pages import Page
from tests.house.test_rules import routes

SUPPORT = {
    *("reply", "pause", "resume", "close", "retry", "send-again", "correct", "read-again", "read-lead"),
    "diagnose",
    *("test-endpoint", "redeliver-failed", "redeliver"),
}
OPERATORS = SUPPORT | {
    *("replay", "replay-span", "grant", "adjust", "create-key", "create-operator-key", "revoke"),
    *("publish", "rollback", "create-prompt", "create-agent", "change-agent", "relink", "delete-agent"),
    *("register-number", "change-number", "delete-number", "open-account", "change-business"),
    *("refund", "import-prompt", "erase-customer", "export-customer"),
    *("enable-endpoint", "disable-endpoint", "change-web-chat", "rotate-web-chat-secret"),
}
MAY = {"support": SUPPORT, "operators": OPERATORS, "nobody": set()}
UNSEEN_BY_SUPPORT = {
    *("billing_credit", "billing_creditentry", "billing_apikey", "billing_auditentry", "privacy_erasure"),
}


def buttons() -> list:
    found = []
    for model, page in admin.site._registry.items():
        if isinstance(page, Page):
            found += [(model, button, True) for button in page.buttons]
            found += [(model, button, False) for button in page.list_buttons]
    return found


def address(house, model, button, of_row) -> str:
    page = admin.site.get_model_admin(model)
    row = next(row for row in vars(house).values() if isinstance(row, model)) if of_row else None
    return button.url(page, row)


@pytest.mark.long
class TestButtons:
    def test_are_all_spoken_of_here(self):
        assert {button.name for _, button, _ in buttons()} == OPERATORS

    @pytest.mark.parametrize("group", MAY)
    def test_are_refused_to_those_who_may_not(self, group, house, people):
        for model, button, of_row in buttons():
            url = address(house, model, button, of_row)
            expected = 200 if button.name in MAY[group] else 403

            assert people[group].get(url).status_code == expected, (group, url)
            if expected == 403:
                assert people[group].post(url, {"reason": "x", "amount": "1"}).status_code == 403, (
                    group,
                    url,
                )

    @pytest.mark.parametrize("group", ["support", "operators"])
    def test_are_shown_to_those_who_may_and_to_nobody_else(self, group, house, people):
        for model, button, of_row in buttons():
            page = admin.site.get_model_admin(model)
            row = next(row for row in vars(house).values() if isinstance(row, model))
            where = (
                admin_url(row)
                if of_row
                else reverse(f"admin:{page.opts.app_label}_{page.opts.model_name}_changelist")
            )
            response = people[group].get(where)
            if response.status_code == 403:
                assert button.name not in MAY[group]
                continue

            is_shown = button.url(page, row if of_row else None) in response.content.decode()

            is_due = button.name in MAY[group] and (not of_row or button.is_offered(row))
            assert is_shown == is_due, (group, button.name)

    def test_need_a_csrf_token(self, accounts, house):
        from django.test import Client

        strict = Client(enforce_csrf_checks=True)
        strict.force_login(accounts.superuser)
        for model, button, of_row in buttons():
            url = address(house, model, button, of_row)

            assert strict.post(url, {}).status_code == 403, url

    def test_do_nothing_when_they_are_only_looked_at(self, house, people):
        for model, button, of_row in buttons():
            people.superuser.get(address(house, model, button, of_row))

        house.talk.refresh_from_db()
        assert house.talk.is_active
        house.credit.refresh_from_db()
        assert house.credit.remaining_credits == 10

    def test_of_rows_that_do_not_exist_are_not_found(self, people):
        assert people.operators.get("/admin/conversations/conversation/cnv_none/close/").status_code == 404


class TestPages:
    def test_of_money_and_keys_are_not_for_support(self, house, people):
        for name in UNSEEN_BY_SUPPORT:
            assert people.support.get(reverse(f"admin:{name}_changelist")).status_code == 403

    def test_of_operation_are_for_support(self, house, people):
        for model, page in admin.site._registry.items():
            name = f"{model._meta.app_label}_{model._meta.model_name}"
            if isinstance(page, Page) and name not in UNSEEN_BY_SUPPORT | {"admin_logentry"}:
                assert people.support.get(reverse(f"admin:{name}_changelist")).status_code == 200, name

    def test_are_for_nobody_outside_the_groups(self, house, people):
        for row in vars(house).values():
            if hasattr(row, "_meta"):
                assert people.nobody.get(admin_url(row)).status_code == 403

    def test_of_the_sidebar_are_those_one_may_open(self, people):
        content = people.support.get("/admin/").content.decode()

        assert reverse("admin:conversations_conversation_changelist") in content
        for name in (*UNSEEN_BY_SUPPORT, "auth_user", "admin_logentry"):
            assert reverse(f"admin:{name}_changelist") not in content

    def test_show_support_no_credits_on_the_dashboard(self, house, people):
        assert "Out of credits" in people.operators.get("/admin/").content.decode()
        assert "Out of credits" not in people.support.get("/admin/").content.decode()

    def test_are_for_nobody_who_has_not_signed_in(self, house, client):
        seen = 0
        for route, pattern in routes(get_resolver().url_patterns):
            if not route.startswith("admin/") or pattern.name in {"login", None}:
                continue
            kwargs = dict.fromkeys(pattern.pattern.converters, "1")
            if pattern.pattern.regex.groups and not kwargs:
                continue
            url = (
                reverse(f"admin:{pattern.name}", kwargs=kwargs)
                if kwargs
                else reverse(f"admin:{pattern.name}")
            )
            response = client.get(url)
            assert response.status_code in {302, 403, 404}, url
            if response.status_code == 302:
                assert response.url.startswith(("/admin/login/", "/admin/")), url
            seen += 1
        assert seen > 50


class TestGroups:
    def test_hold_what_the_code_says(self, db):
        for name, granted in groups.GROUPS.items():
            held = {
                f"{permission.content_type.app_label}.{permission.codename}"
                for permission in Group.objects.get(name=name).permissions.select_related("content_type")
            }
            assert held == granted

    def test_are_put_back_by_the_next_migrate(self, db):
        from django.apps import apps
        from django.contrib.auth.models import Permission

        support = Group.objects.get(name="support")
        support.permissions.add(Permission.objects.get(codename="grant_credit"))

        groups.keep(apps=apps)

        assert not support.permissions.filter(codename="grant_credit").exists()

    def test_are_made_twice_without_harm(self, db):
        from django.apps import apps

        before = Group.objects.count()

        groups.keep(apps=apps)

        assert Group.objects.count() == before

    @pytest.mark.django_db(transaction=True)
    def test_are_there_again_after_everything_was_flushed(self):
        from django.core.management import call_command

        call_command("flush", interactive=False, verbosity=0)

        assert set(Group.objects.values_list("name", flat=True)) == set(groups.GROUPS)
