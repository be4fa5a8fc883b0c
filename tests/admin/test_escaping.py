"""
Values of rows never become markup in the admin.

The tests walk the registry of pages and the columns of the tables: a new page, column or computed field is
covered without a change here.
"""

import ast
import re
from html.parser import HTMLParser

import pytest
from django.contrib import admin
from django.contrib.admin.utils import lookup_field
from django.core.exceptions import FieldDoesNotExist, ObjectDoesNotExist
from django.db import DatabaseError, connection, models, transaction
from django.test import RequestFactory
from django.utils.safestring import SafeData

from config.admin.buttons import admin_url
from tests.house.test_rules import PROJECT, modules, name

# One value per context that a template may forget: element, attribute in both quotes, script, template.
HOSTILE = (
    "<x-hostile></x-hostile>",
    '" x-hostile="',
    "' x-hostile='",
    "</script><script>x-hostile()</script>",
    "</textarea></title></style><x-hostile>",
    "{{ 'evalu'|add:'ated-hostile' }}",
)
# Text columns that cannot hold such a value: a constraint lists their values.
REFUSED = {
    "billing.apikey.scope",
    "billing.auditentry.actor_kind",
    "billing.creditentry.kind",
    "channels_app.phonenumber.type",
    "channels_app.webchat.color",
    "channels_app.webchat.position",
    "channels_app.webchat.theme",
    "conversations.message.author",
    "conversations.message.sender",
    "extraction.extraction.status",
}
# What a computed field may consist of.
ALLOWED = {
    "a": {"class", "href"},
    "div": {"class", "dir"},
    "span": {"class", "dir", "title"},
    "code": {"class"},
    "br": set(),
    "img": {"src", "alt"},
}
OWN_SCRIPTS = ("/static/", "/admin/jsi18n/")
_TEXTS = (models.CharField, models.TextField)


class Markup(HTMLParser):
    """Collects elements, and everything that would come of a hostile value."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.faults: list[str] = []
        self._tag = ""
        self.feed(content)

    def handle_starttag(self, tag, attrs) -> None:
        self._tag = tag
        self.elements.append((tag, dict(attrs)))
        if tag == "x-hostile" or any(key == "x-hostile" for key, _ in attrs):
            self.faults.append(self.get_starttag_text() or tag)
        source = dict(attrs).get("src") or ""
        if tag == "script" and "src" in dict(attrs) and not source.startswith(OWN_SCRIPTS):
            self.faults.append(f"foreign script {source}")

    def handle_endtag(self, tag) -> None:
        self._tag = ""

    def handle_data(self, data) -> None:
        if self._tag == "script" and "x-hostile" in data:
            self.faults.append(f"script: {data[:80]}")


def spoil(row: models.Model, value: str) -> set[str]:
    """Put a value into every text and JSON column of a row, and return the columns that refuse it."""
    refused = set()
    for column in row._meta.concrete_fields:
        if column.primary_key or column.is_relation:
            continue
        if isinstance(column, models.JSONField):
            hostile: object = (
                [{value: value}] if isinstance(getattr(row, column.attname), list) else {value: value}
            )
        elif isinstance(column, _TEXTS):
            hostile = value[: column.max_length] if column.max_length else value
        else:
            continue
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                # Triggers keep ledger entries and prompt versions as they are.
                cursor.execute("SET LOCAL session_replication_role = replica")
                type(row)._base_manager.filter(pk=row.pk).update(**{column.attname: hostile})
        except (DatabaseError, TypeError, ValueError):
            refused.add(f"{row._meta.label_lower}.{column.name}")
    return refused


def rows(house) -> dict[type[models.Model], models.Model]:
    return {type(row): row for row in vars(house).values() if isinstance(row, models.Model)}


def computed_fields(page, request, row) -> dict[str, object]:
    """Return the values of all columns and computed fields that a page shows of a row."""
    names = {*page.get_list_display(request), *page.get_readonly_fields(request, row)}
    values = {}
    for field in sorted(field for field in names if isinstance(field, str)):
        try:
            values[field] = lookup_field(field, row, page)[2]
        except (FieldDoesNotExist, ObjectDoesNotExist):
            continue
    return values


@pytest.mark.long
class TestHostileValues:
    @pytest.mark.parametrize("value", HOSTILE)
    def test_come_out_as_text_on_every_page(self, value, house, people):
        for model, row in rows(house).items():
            spoil(row, value)
            addresses = [admin_url(row), admin_url(row).replace("/change/", "/history/")]
            options = model._meta
            addresses.append(f"/admin/{options.app_label}/{options.model_name}/")
            page = admin.site.get_model_admin(model)
            addresses += [button.url(page, row) for button in getattr(page, "buttons", ())]
            for address in addresses:
                content = people.superuser.get(address, follow=True).content.decode()

                assert Markup(content).faults == [], (address, value)
                assert "evaluated-hostile" not in content, address

    def test_are_stored_in_every_text_column_that_takes_them(self, house):
        refused = set()
        for row in rows(house).values():
            refused |= spoil(row, HOSTILE[0])

        assert refused == REFUSED

    @pytest.mark.parametrize("value", HOSTILE)
    def test_leave_computed_fields_with_simple_markup_only(self, value, house, accounts):
        request = RequestFactory().get("/admin/")
        request.user = accounts.superuser
        seen = 0
        for model, row in rows(house).items():
            spoil(row, value)
            page = admin.site.get_model_admin(model)
            stored = page.get_queryset(request).get(pk=row.pk)
            for field, shown in computed_fields(page, request, stored).items():
                if isinstance(shown, SafeData):
                    assert is_simple(Markup(str(shown))), (model, field, shown)
                    seen += 1
        assert seen > 10

    def test_cover_a_row_of_every_page(self, house):
        # Staff, groups and the log are Django's own, and hold what superusers wrote.
        own = {model for model in admin.site._registry if model._meta.app_label not in {"auth", "admin"}}

        assert own == set(rows(house))


def is_simple(markup: Markup) -> bool:
    """Check that markup has nothing but allowed elements and attributes, and links inside the admin."""

    def is_allowed(tag: str, attributes: dict[str, str | None]) -> bool:
        link, source = attributes.get("href") or "/", attributes.get("src") or "/static/"
        return set(attributes) <= ALLOWED[tag] and link[0] == "/" and source.startswith("/static/")

    return markup.faults == [] and all(
        tag in ALLOWED and is_allowed(tag, attributes) for tag, attributes in markup.elements
    )


class TestEmbedSnippet:
    def test_is_shown_as_text_and_does_not_run(self, house, people):
        content = people.superuser.get(admin_url(house.chat)).content.decode()

        assert "&lt;script src=" in content
        assert f"data-phone-number-id=&quot;{house.chat.pk}&quot;" in content
        assert Markup(content).faults == []


class TestSource:
    @pytest.mark.parametrize("path", modules(), ids=name)
    def test_marks_no_text_as_safe_that_is_not_written_here(self, path):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            function = getattr(node.func, "id", getattr(node.func, "attr", ""))
            assert function not in {"mark_safe", "SafeString", "SafeText"}, ast.unparse(node)
            if function in {"format_html", "format_html_join"}:
                literal = node.args[1 if function == "format_html_join" else 0]
                assert isinstance(literal, ast.Constant), ast.unparse(node)
                # `str()` of safe text stays safe: the text then runs wherever it is shown.
                assert "<script" not in str(literal.value), ast.unparse(node)

    def test_escapes_in_every_template_of_the_admin(self):
        for path in (PROJECT / "templates" / "admin").rglob("*.html"):
            assert not re.search(r"\|\s*safe\b|autoescape\s+off", path.read_text()), path
