"""What a sales person is told, and when."""

from datetime import UTC, datetime

import pytest

from extraction import notification
from extraction.models import FIELDS
from tests.extraction.talks import talk
from tests.factories import ConversationFactory, ExtractionFactory

AT = datetime(2026, 11, 25, 14, tzinfo=UTC)


def values(**known):
    return {**dict.fromkeys(FIELDS), **known}


class TestFacts:
    @pytest.mark.parametrize(
        ("known", "facts"),
        [
            ({"name": "Ada", "company": "Acme", "intent": "Cake", "engagement": 3}, set()),
            ({"email": "ada@example.com"}, {"email:ada@example.com"}),
            ({"phone": "+12025550143"}, {"phone:+12025550143"}),
            ({"demo_datetime": AT}, {"demo:2026-11-25T14:00:00+00:00"}),
            ({"urgency": 2}, set()),
            ({"urgency": 3}, {"urgency:3"}),
            ({"fit": 3, "budget": 2}, set()),
            ({"fit": 3, "budget": 3}, {"fit+budget:3"}),
        ],
    )
    def test_are_what_matters_to_sales(self, known, facts):
        assert notification.facts(values(**known)) == facts

    def test_are_news_once(self):
        known = values(email="ada@example.com", urgency=3)

        assert notification.news(known, []) == ["email:ada@example.com", "urgency:3"]
        assert notification.news(known, ["urgency:3"]) == ["email:ada@example.com"]
        assert notification.news(known, notification.facts(known)) == []


class TestSentence:
    def test_is_the_model_s(self):
        assert notification.sentence(values(), "Call Ada.") == "Call Ada."

    def test_is_made_of_the_fields_where_the_model_gave_none(self):
        known = values(name="Ada", company="Acme", intent="a cake", demo_datetime=AT)

        assert notification.sentence(known, None) == "Ada of Acme wants: a cake. A time for a demo was named."
        assert notification.sentence(values(), None) == "Somebody may become a customer."


@pytest.mark.django_db
class TestEmail:
    def test_tells_what_is_new_all_that_is_known_and_where(self):
        conversation = ConversationFactory(customer_phone="12025550143")
        lead = ExtractionFactory(
            conversation=conversation,
            name="Ada",
            company="Acme",
            email="ada@example.com",
            urgency=3,
            demo_datetime=AT,
            changed=["email", "demo_datetime"],
            smart_notification="Ada wants a demo.",
        )

        subject, body = notification.email(lead, talk("Hello", timezone="Europe/Berlin"))

        assert subject == "Lead: Ada / Acme"
        assert body.splitlines() == [
            "Ada wants a demo.",
            "",
            "New: E-mail, Demo",
            "",
            "Name: Ada",
            "E-mail: ada@example.com",
            "Company: Acme",
            "Urgency: 3 of 3",
            "Demo: Wednesday, 2026-11-25 15:00 (Europe/Berlin)",
            "",
            "Customer: 12025550143 (whatsapp)",
            f"Conversation: {conversation.pk}",
            "",
            "The lines above come from what a customer wrote. Nobody has checked them.",
        ]

    def test_holds_no_line_and_no_tag_that_a_customer_made_up(self):
        hostile = "Ada\r\nBcc: x@evil.example\n<script>"
        lead = ExtractionFactory(name=hostile, company=hostile, intent=hostile, changed=["name"])

        subject, body = notification.email(lead, talk("Hello"))

        assert subject.splitlines() == [subject]
        assert len(subject) <= notification.LONGEST_SUBJECT
        assert not [each for each in body.splitlines() if each.startswith("Bcc")]
        assert "<" not in subject + body

    def test_has_a_subject_for_somebody_without_a_name(self):
        lead = ExtractionFactory(phone="+12025550143")

        assert notification.email(lead, talk("Hello"))[0] == "Lead: +12025550143"
