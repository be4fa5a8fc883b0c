"""One JSON object a line, and nothing in it that must not be."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from config.lib import logs, masking
from tests.log_lines import Lines, written_lines


@pytest.fixture
def lines() -> Iterator[Lines]:
    """Read what has been logged as it would stand on stderr."""
    with written_lines() as lines:
        yield lines


class TestMasked:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("+12025550143", "+12…43"),
            ("to 12025550143, again 12025550187", "to 120…43, again 120…87"),
            ("code 131047 at 12:30", "code 131047 at 12:30"),
            ("", ""),
        ],
    )
    def test_hides_what_may_be_a_phone_number(self, text, expected):
        assert masking.masked(text) == expected


class TestLine:
    def test_is_one_json_object(self, lines):
        structlog.get_logger("room").warning("thing.happened", count=3)

        [line] = lines()
        assert (line["event"], line["count"], line["level"], line["logger"]) == (
            "thing.happened", 3, "warning", "room",
        )  # fmt: skip
        assert line["timestamp"].endswith("Z")

    def test_is_cut_where_a_client_sent_a_very_long_text(self, lines):
        structlog.get_logger("room").warning("thing.happened", reason="A" * 1_000_000)

        [line] = lines()
        assert len(line["reason"]) < 60_000
        assert line["reason"].endswith("(1000000 characters)")

    def test_is_one_line_whatever_is_in_it(self, lines):
        structlog.get_logger("room").warning("thing\nhappened", reason="a\r\nb\u2028c")
        logging.getLogger("library").error("a\nb")

        assert len(lines()) == 2

    def test_carries_the_correlation_id(self, lines):
        with structlog.contextvars.bound_contextvars(correlation_id="trace-1"):
            structlog.get_logger("room").warning("ours")
            logging.getLogger("library").warning("theirs")

        assert [line["correlation_id"] for line in lines()] == ["trace-1"] * 2

    def test_masks_phone_numbers_but_not_ids(self, lines):
        structlog.get_logger("room").warning(
            "from +12025550143", reason="12025550143", phone_number_id="109876543210987"
        )
        logging.getLogger("library").warning("to %s", "12025550143")

        [ours, theirs] = lines()
        assert "12025550143" not in json.dumps([ours, theirs])
        assert ours["phone_number_id"] == "109876543210987"

    def test_hides_what_postgres_tells_of_a_row(self, lines):
        try:
            raise ValueError("duplicate key\nDETAIL:  Key (name)=(Ada Lovelace) already exists.")
        except ValueError:
            structlog.get_logger("room").exception("broke")
            logging.getLogger("library").exception("broke")

        for line in lines():
            assert "Ada Lovelace" not in json.dumps(line)
            assert "duplicate key" in line["exception"]

    def test_of_a_client_that_tells_urls_is_left_out(self, lines):
        for name in ("httpx2", "openai", "urllib3", "kombu"):
            logging.getLogger(name).info("GET https://example.com/?token=secret")

        assert lines() == []


class TestCorrelationId:
    def test_is_empty_where_there_is_none(self):
        assert logs.correlation_id() == ""

    def test_is_given_back_by_every_page(self, client):
        answer = client.get("/health/live", headers={"X-Correlation-Id": "trace-1"})

        assert answer.headers["X-Correlation-Id"] == "trace-1"

    def test_does_not_leak_into_the_next_request(self, client):
        client.get("/health/live", headers={"X-Correlation-Id": "trace-1"})

        answer = client.get("/health/live")

        assert answer.headers["X-Correlation-Id"].startswith("cor_")
        assert logs.correlation_id() == ""

    def test_may_come_in_another_header(self, client, settings):
        settings.CORRELATION_ID_HEADER = "x-request-id"

        answer = client.get("/health/live", headers={"X-Request-Id": "trace-2"})

        assert answer.headers["X-Request-Id"] == "trace-2"
