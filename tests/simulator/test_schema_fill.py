from enum import StrEnum

from pydantic import BaseModel

from simulator.schema_fill import fill


class Intent(StrEnum):
    BUY = "buy"
    ASK = "ask"


class Budget(BaseModel):
    amount: int
    currency: str | None


class Lead(BaseModel):
    name: str | None
    intent: Intent
    fit: Intent | None
    budget: Budget
    notes: list[str]
    summary: str
    is_urgent: bool


class TestFill:
    def test_fits_the_schema_and_knows_nothing(self):
        lead = Lead.model_validate(fill(Lead.model_json_schema()))

        assert lead.name is None
        assert lead.intent is Intent.BUY
        assert lead.fit is None
        assert lead.budget == Budget(amount=0, currency=None)
        assert lead.notes == []
        assert lead.summary == "[simulated]"

    def test_keeps_bounds(self):
        schema = {
            "type": "object",
            "properties": {"urgency": {"type": "integer", "minimum": 1, "maximum": 3}},
        }

        assert fill(schema) == {"urgency": 1}

    def test_prefers_null_in_a_list_of_types(self):
        assert fill({"type": ["string", "null"]}) is None
        assert fill({"type": ["integer", "string"], "minimum": 2}) == 2
