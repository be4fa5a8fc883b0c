from datetime import timedelta

import pytest

from channels_app.meta import body
from channels_app.meta.types import Parsed, Problem
from tests.channels_app.meta.wire import NOW, SENT, SENT_AT


class TestMoment:
    @pytest.mark.parametrize("given", [SENT, str(SENT), float(SENT), SENT * 1000, str(SENT * 1000)])
    def test_reads_seconds_and_milliseconds(self, given):
        assert body.moment(given, now=NOW) == SENT_AT

    def test_keeps_fractions(self):
        assert body.moment(SENT * 1000 + 500, now=NOW) == SENT_AT + timedelta(seconds=0.5)

    def test_allows_for_a_clock_that_is_a_little_ahead(self):
        ahead = NOW + timedelta(minutes=4)

        assert body.moment(ahead.timestamp(), now=NOW) == ahead

    @pytest.mark.parametrize(
        "given",
        [
            None, "", "soon", True, [], {}, -1, 0, "nan", "inf", 10**400, "9" * 5000,
            (NOW + timedelta(minutes=6)).timestamp(), 99999999999, 99999999999999999,
        ],
    )  # fmt: skip
    def test_takes_anything_else_for_now(self, given):
        assert body.moment(given, now=NOW) == NOW


class TestEach:
    def test_reports_what_is_no_object(self):
        parsed = Parsed()

        found = list(body.each({"items": [{"a": 1}, None, [], "x"]}, "items", parsed, of="1"))

        assert found == [{"a": 1}]
        assert parsed.problems == [Problem("items: not an object", item, "1") for item in (None, [], "x")]

    def test_reports_what_is_no_list(self):
        parsed = Parsed()

        assert list(body.each({"items": {"a": 1}}, "items", parsed)) == []
        assert parsed.problems == [Problem("items: not a list", {"a": 1})]

    @pytest.mark.parametrize("value", [{}, {"items": None}, {"items": []}])
    def test_has_nothing_to_say_about_nothing(self, value):
        parsed = Parsed()

        assert list(body.each(value, "items", parsed)) == []
        assert parsed == Parsed()


class TestRead:
    @pytest.mark.parametrize(
        "raw",
        [
            b"[" * 5000, b'{"a":' + b"[" * 200 + b"]" * 200 + b"}", b'{"a":' + b"9" * 5000 + b"}",
            b"null", b"\xff", b"",
        ],
    )  # fmt: skip
    def test_refuses_what_it_could_not_keep(self, raw):
        with pytest.raises(body.UnreadableError):
            body.read(raw)

    def test_replaces_what_postgres_refuses(self):
        raw = b'{"a":"x\\u0000y","b":"\\ud83d","c":NaN,"d":1e999,"e":"\\ud83d\\ude0d"}'

        found = {"a": "x\ufffdy", "b": "\ufffd", "c": None, "d": None, "e": "\U0001f60d"}
        assert body.read(raw) == found

    def test_takes_a_byte_order_mark(self):
        assert body.read(b"\xef\xbb\xbf{}") == {}
