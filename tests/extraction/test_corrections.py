"""What people set right."""

from datetime import UTC, datetime

import pytest

from billing.models import Event
from extraction import corrections, merging
from extraction.corrections import InvalidCorrectionError, NotCurrentError
from extraction.models import Extraction
from tests import racing
from tests.extraction.talks import found
from tests.factories import ConversationFactory, CustomerFactory, ExtractionFactory


def correct(lead, **changes) -> Extraction:
    corrections.correct(extraction_id=lead.pk, changes=changes, actor="key_1")
    return Extraction.objects.get(pk=lead.pk)


@pytest.fixture
def lead(db):
    return ExtractionFactory(
        conversation=ConversationFactory(customer=CustomerFactory(wa_id="12025550143")),
        name="Ada",
        email="ada@example.com",
        urgency=1,
        demo_datetime=datetime(2026, 11, 25, 14, tzinfo=UTC),
        demo_source_text="at 3",
        evidence={name: {"confidence": 1, "messages": ["msg_1"]} for name in ("name", "demo_datetime")},
    )


class TestCorrect:
    def test_sets_fields_for_good(self, lead):
        row = correct(lead, name=" Grace\nHopper ", urgency=3, company="Acme", email=None)

        assert (row.name, row.urgency, row.company, row.email) == ("Grace Hopper", 3, "Acme", None)
        assert set(row.corrected) == {"name", "urgency", "company", "email"}
        assert row.corrected["name"]["by"] == "key_1"
        assert datetime.fromisoformat(row.corrected["name"]["at"]).tzinfo
        assert set(row.evidence) == {"demo_datetime"}

    def test_survives_the_next_reading(self, lead):
        row = correct(lead, name="Grace", email=None)

        merged = merging.merge(found(name="Mallory", email="m@example.com", newest=99), row)

        assert (merged.values["name"], merged.values["email"]) == ("Grace", None)
        assert set(merged.suggestions) == {"name", "email"}

    def test_tells_the_business_what_changed(self, lead):
        correct(lead, name="Grace", urgency=1)

        event = Event.objects.get(type="lead.updated")
        assert (event.user_id, event.conversation_id) == (lead.user_id, lead.conversation_id)
        assert event.data == {
            "extraction_id": lead.pk,
            "phone_number_id": lead.conversation.customer.phone_number_id,
            "agent_id": lead.conversation.agent_id,
            "customer_phone": "12025550143",
            # See tests/api/test_customers.py.
            "customer": event.data["customer"],
            "lead": {
                "name": "Grace",
                "email": "ada@example.com",
                "phone": None,
                "company": None,
                "intent": None,
                "urgency": 1,
                "budget": None,
                "fit": None,
                "engagement": None,
                "demo_datetime": "2026-11-25T14:00:00Z",
                "demo_source_text": "at 3",
            },
            "changed": ["name"],
            "smart_notification": None,
            "source": "api",
        }

    def test_changes_nothing_where_it_stands_so_already(self, lead):
        row = correct(lead, name="Ada", demo_datetime="2026-11-25T14:00Z", company=" ")

        assert row.corrected == {}
        assert row.demo_source_text == "at 3"
        assert not Event.objects.exists()

    def test_drops_the_suggestion_for_a_field_it_speaks_of(self, lead):
        lead.suggestions = {"name": {"value": "Grace"}, "email": {"value": "g@example.com"}}
        lead.save()

        assert set(correct(lead, name="Ada").suggestions) == {"email"}
        assert set(correct(lead, email="other@example.com").suggestions) == set()

    def test_of_a_demo_is_at_the_business_and_needs_no_future(self, lead):
        lead.user.timezone = "Europe/Berlin"
        lead.user.save()

        row = correct(lead, demo_datetime="2026-01-05T10:00")

        assert row.demo_datetime == datetime(2026, 1, 5, 9, tzinfo=UTC)
        assert row.demo_source_text == ""
        assert correct(lead, demo_datetime=datetime(2027, 1, 5, 9, tzinfo=UTC)).demo_datetime.year == 2027
        assert correct(lead, demo_datetime="").demo_datetime is None

    def test_reads_a_phone_number_as_people_of_the_customer_s_country_do(self, lead):
        assert correct(lead, phone="(202) 555-0199").phone == "+12025550199"

    def test_is_no_news_for_sales(self, lead):
        lead.told = ["email:ada@example.com"]
        lead.save()

        row = correct(lead, email="grace@example.com", urgency=3)

        assert row.told == ["email:ada@example.com", "email:grace@example.com", "urgency:3"]

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"name": "x@example.com"}, "not_a_name"),
            ({"name": "A" * 101}, "too_long"),
            ({"name": 7}, "invalid"),
            ({"email": "nonsense"}, "not_an_email"),
            ({"phone": "123"}, "not_a_phone_number"),
            ({"company": "https://evil.example"}, "not_a_company"),
            ({"intent": "x" * 101}, "too_long"),
            ({"urgency": 4}, "not_a_score"),
            ({"budget": "3"}, "not_a_score"),
            ({"fit": True}, "not_a_score"),
            ({"demo_datetime": "tomorrow"}, "not_a_time"),
            ({"demo_datetime": 5}, "not_a_time"),
            ({"demo_datetime": datetime(202, 1, 1, tzinfo=UTC)}, "out_of_range"),
            ({"told": []}, "unknown_field"),
            ({"is_current": True}, "unknown_field"),
        ],
    )
    def test_refuses_what_a_field_cannot_hold_and_changes_nothing(self, lead, changes, code):
        [field] = changes

        with pytest.raises(InvalidCorrectionError) as caught:
            correct(lead, company="Acme", **changes) if field != "company" else correct(lead, **changes)

        assert (caught.value.field, caught.value.code) == (field, code)
        assert Extraction.objects.get(pk=lead.pk).corrected == {}

    def test_refuses_a_reading_that_is_not_the_lead(self, lead):
        older = ExtractionFactory(conversation=lead.conversation, is_current=False)

        with pytest.raises(NotCurrentError) as caught:
            correct(older, name="Grace")

        assert caught.value.current_extraction_id == lead.pk

    def test_refuses_a_reading_of_a_talk_without_a_lead(self, db):
        with pytest.raises(NotCurrentError) as caught:
            correct(ExtractionFactory(status="failed"), name="Grace")

        assert caught.value.current_extraction_id is None

    def test_refuses_a_reading_there_is_not(self, db):
        with pytest.raises(Extraction.DoesNotExist):
            corrections.correct(extraction_id="ext_none", changes={}, actor="key_1")


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_keeps_what_two_people_set(self, valkey):
        lead = ExtractionFactory()

        ended = racing.at_once(lambda: correct(lead, name="Grace"), lambda: correct(lead, company="Acme"))

        row = Extraction.objects.get(pk=lead.pk)
        assert ended == ["done", "done"]
        assert (row.name, row.company, set(row.corrected)) == ("Grace", "Acme", {"name", "company"})
        assert Event.objects.count() == 2
