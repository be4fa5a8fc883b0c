"""Leads as staff see them: what bears them out, what was corrected, and conversations read again."""

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from billing.models import Event
from config.admin.buttons import admin_url
from extraction.models import Extraction
from tests import factories
from tests.admin.test_buttons import notices, press, refusals


def filled_in(client, lead, **said) -> dict[str, str]:
    """Give the form as it comes, and what is changed in it."""
    form = client.get(admin_url(lead).replace("/change/", "/correct/")).context["form"]
    found = {name: form[name].value() for name in form.fields if name != "demo_datetime"}
    return {name: "" if value is None else str(value) for name, value in found.items()} | said


def changes(client, name, **query) -> list[str]:
    page = client.get(reverse(f"admin:{name}_changelist"), query)
    return [row.pk for row in page.context["cl"].result_list]


@pytest.fixture
def lead(house):
    Extraction.objects.filter(pk=house.lead.pk).update(
        urgency=3,
        evidence={"name": {"confidence": 0.9, "messages": [house.question.pk]}},
        corrected={"company": {"by": "key:abc", "at": "2026-11-24T12:00:00+00:00"}},
        suggestions={"company": {"value": "Other Ltd", "confidence": 0.5, "messages": [house.question.pk]}},
        refused={"email": "This is not a valid e-mail address."},
    )
    house.lead.refresh_from_db()
    return house.lead


class TestPage:
    def test_links_to_the_messages_that_bear_a_field_out(self, house, people, lead):
        content = people.support.get(admin_url(lead)).content.decode()

        assert f'href="{admin_url(house.question)}"' in content
        assert "0.90" in content

    def test_shows_corrections_suggestions_and_what_was_not_taken(self, people, lead):
        content = people.support.get(admin_url(lead)).content.decode()

        for words in ("key:abc", "Other Ltd", "This is not a valid e-mail address."):
            assert words in content

    def test_lists_the_other_readings_of_the_conversation(self, house, people, lead):
        failed = factories.ExtractionFactory(
            conversation=house.talk, status="failed", trigger="manual", reason="model: timeout"
        )

        content = people.support.get(admin_url(lead)).content.decode()

        assert f'href="{admin_url(failed)}"' in content
        assert "model: timeout" in content

    def test_is_open_for_a_reading_that_found_nothing(self, house, people):
        empty = factories.ExtractionFactory(
            conversation=house.talk, status="empty", trigger="manual", reason="small talk"
        )

        response = people.support.get(admin_url(empty))

        assert response.status_code == 200
        assert "Correct" not in [button["title"] for button in response.context["actions_detail"]]

    def test_of_the_conversation_has_a_box_with_the_lead(self, house, people, lead):
        content = people.support.get(admin_url(house.talk)).content.decode()

        assert f'href="{admin_url(lead)}"' in content

    def test_of_a_conversation_without_a_lead_says_so(self, house, people):
        Extraction.objects.all().delete()

        assert "None is known." in people.support.get(admin_url(house.talk)).content.decode()

    def test_is_found_by_status_and_score(self, house, people, lead):
        failed = factories.ExtractionFactory(conversation=house.talk, status="failed", trigger="manual")

        assert changes(people.support, "extraction_extraction", status__exact="failed") == [failed.pk]
        assert changes(people.support, "extraction_extraction", urgency="3") == [lead.pk]
        assert set(changes(people.support, "extraction_extraction", q=house.talk.pk)) == {lead.pk, failed.pk}


class TestCorrecting:
    def test_sets_what_was_changed_and_only_that(self, house, people, lead):
        said = filled_in(people.support, lead, email="ann@example.com", urgency="")

        response = press(people.support, lead, "correct", **said)

        lead.refresh_from_db()
        assert "corrected: email, urgency" in notices(response)
        assert (lead.email, lead.urgency, lead.name) == ("ann@example.com", None, "Ann")
        assert set(lead.corrected) == {"company", "email", "urgency"}
        assert lead.corrected["email"]["by"] == "staff:sue"

    def test_sets_a_demo(self, people, lead):
        said = filled_in(people.support, lead, demo_datetime_0="2027-01-02", demo_datetime_1="10:00:00")

        press(people.support, lead, "correct", **said)

        lead.refresh_from_db()
        assert lead.demo_datetime.isoformat() == "2027-01-02T10:00:00+00:00"

    def test_tells_the_business_who_did_it(self, people, lead):
        press(people.support, lead, "correct", **filled_in(people.support, lead, fit="2"))

        event = Event.objects.get(type="lead.updated")
        assert (event.data["source"], event.data["changed"]) == ("admin", ["fit"])
        assert LogEntry.objects.get().change_message == "Correct: corrected: fit"

    def test_of_nothing_changes_nothing(self, people, lead):
        response = press(people.support, lead, "correct", **filled_in(people.support, lead))

        assert "nothing changed" in notices(response)
        assert not Event.objects.filter(type="lead.updated").exists()

    @pytest.mark.parametrize(("field", "value"), [("email", "nonsense"), ("phone", "12"), ("urgency", "4")])
    def test_refuses_what_cannot_be_true(self, people, lead, field, value):
        said = filled_in(people.support, lead, **{field: value})

        assert refusals(press(people.support, lead, "correct", **said))
        lead.refresh_from_db()
        assert set(lead.corrected) == {"company"}

    def test_undoes_nothing_that_came_meanwhile(self, people, lead):
        said = filled_in(people.support, lead, fit="2")
        Extraction.objects.update(email="new@example.com")

        assert "has changed since" in refusals(press(people.support, lead, "correct", **said))
        lead.refresh_from_db()
        assert (lead.email, lead.fit) == ("new@example.com", None)

    def test_of_what_is_not_the_lead_is_refused(self, house, people, lead):
        said = filled_in(people.support, lead, fit="2")
        Extraction.objects.update(is_current=False)

        assert "newer lead" in refusals(press(people.support, lead, "correct", **said))


class TestReading:
    @pytest.mark.parametrize(("row", "button"), [("lead", "read-again"), ("talk", "read-lead")])
    def test_is_wanted_again(self, house, people, row, button):
        response = press(people.support, getattr(house, row), button)

        opened = Extraction.objects.get(status="waiting")
        assert (opened.conversation_id, opened.trigger) == (house.talk.pk, "manual")
        assert opened.pk in notices(response)

    def test_needs_something_the_customer_said(self, people):
        talk = factories.ConversationFactory()

        assert "has written nothing" in refusals(press(people.support, talk, "read-lead"))
