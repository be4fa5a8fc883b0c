"""What the benchmark concludes, on cases made by hand. The benchmark itself is no test: `make bench`."""

import math
from dataclasses import fields, replace

import pytest

from tests.load import judgement, report
from tests.load.judgement import Call, Post, Send, Written


def wrote(token: str, *, at: float, customer: str = "1202", status: int = 200, took: float = 0.01) -> Written:
    return Written(token, customer, Post(planned=at, posted=at, answered=at + took, status=status))


class TestPercentile:
    @pytest.mark.parametrize(("percent", "expected"), [(50, 50), (95, 95), (99, 99), (100, 100), (1, 1)])
    def test_is_a_value_that_was_measured(self, percent, expected):
        values = list(range(100, 0, -1))

        assert judgement.percentile(values, percent) == expected

    def test_of_one_value_is_that_value(self):
        assert judgement.percentile([7.0], 99) == 7.0

    def test_of_nothing_is_not_a_number(self):
        assert math.isnan(judgement.percentile([], 50))


class TestMatch:
    def test_takes_the_models_time_off(self):
        written = [wrote("a", at=10.0)]
        calls = [Call(("a",), 10.1, 11.1)]
        sends = [Send(("a",), "+1202", 11.3)]

        [answered] = judgement.match(written, calls, sends)

        assert answered.added == pytest.approx(0.3)

    def test_counts_from_when_the_webhook_should_have_left(self):
        late = Written("a", "1202", Post(planned=10.0, posted=10.5, answered=10.6, status=200))

        [answered] = judgement.match([late], [], [Send(("a",), "1202", 11.0)])

        assert answered.added == pytest.approx(1.0)

    def test_takes_every_call_off_that_held_the_message_before_its_reply(self):
        calls = [Call(("a",), 10.0, 11.0), Call(("a", "b"), 11.0, 12.0), Call(("a",), 13.0, 14.0)]

        answered = judgement.match(
            [wrote("a", at=10.0), wrote("b", at=10.8)], calls, [Send(("a", "b"), "1202", 12.1)]
        )

        assert [round(each.added, 3) for each in answered] == [0.1, 0.3]

    def test_goes_by_the_first_of_two_replies(self):
        sends = [Send(("a",), "1202", 12.0), Send(("a",), "1202", 11.0)]

        [answered] = judgement.match([wrote("a", at=10.0)], [], sends)

        assert answered.arrived == 11.0

    def test_leaves_out_what_was_never_answered(self):
        assert judgement.match([wrote("a", at=10.0)], [Call(("a",), 10.0, 11.0)], []) == []


class TestJudge:
    def test_finds_nothing_wrong_with_one_reply_each_in_order(self):
        written = [wrote("a", at=1.0), wrote("b", at=2.0), wrote("c", at=3.0, customer="1303")]
        sends = [Send(("a", "b"), "+1202", 4.0), Send(("c",), "+1303", 3.5)]

        assert judgement.judge(written, sends) == judgement.Verdict([], [], [], [])

    def test_misses_a_reply_only_to_what_was_accepted(self):
        written = [wrote("a", at=1.0), wrote("b", at=2.0, status=503), wrote("c", at=3.0, status=0)]

        assert judgement.judge(written, []).lost == ["a"]

    def test_sees_two_replies_to_one_message(self):
        sends = [Send(("a",), "1202", 2.0), Send(("a",), "1202", 3.0)]

        assert judgement.judge([wrote("a", at=1.0)], sends).doubled == ["a"]

    def test_sees_a_message_twice_in_one_reply(self):
        assert judgement.judge([wrote("a", at=1.0)], [Send(("a", "a"), "1202", 2.0)]).doubled == ["a"]

    def test_sees_a_reply_to_somebody_else(self):
        assert judgement.judge([wrote("a", at=1.0)], [Send(("a",), "+1303", 2.0)]).misdelivered == ["a"]

    def test_sees_replies_the_other_way_round(self):
        written = [wrote("a", at=1.0), wrote("b", at=2.0)]
        sends = [Send(("b",), "1202", 3.0), Send(("a",), "1202", 4.0)]

        assert judgement.judge(written, sends).out_of_order == [("a", "b")]

    def test_sees_the_other_way_round_within_a_reply(self):
        written = [wrote("a", at=1.0), wrote("b", at=2.0)]

        assert judgement.judge(written, [Send(("b", "a"), "1202", 3.0)]).out_of_order == [("a", "b")]

    def test_asks_no_order_of_messages_that_were_under_way_together(self):
        written = [wrote("a", at=1.0, took=1.5), wrote("b", at=2.0)]

        assert judgement.judge(written, [Send(("b", "a"), "1202", 3.0)]).out_of_order == []

    def test_asks_no_order_of_different_customers(self):
        written = [wrote("a", at=1.0), wrote("b", at=2.0, customer="1303")]
        sends = [Send(("b",), "1303", 3.0), Send(("a",), "1202", 4.0)]

        assert judgement.judge(written, sends).out_of_order == []

    def test_reply_that_quotes_no_message_of_the_load_is_unexpected(self):
        sends = [Send(("a",), "1202", 2.0), Send(("of an earlier load",), "1303", 2.5), Send((), "1404", 3.0)]

        assert judgement.judge([wrote("a", at=1.0)], sends).unexpected == ["1303", "1404"]

    def test_every_fault_of_a_verdict_fails_the_run(self):
        for each in fields(judgement.Verdict):
            assert report.faults({each.name: 1}) == {each.name: 1}
        for name in ("left", "without_picture", "refused"):
            assert report.faults({name: 2}) == {name: 2}


class TestWithoutPicture:
    def test_picture_that_no_model_call_carried_is_a_fault(self):
        written = [replace(wrote(token, at=1.0), is_picture=True) for token in ("a", "b")]
        calls = [Call(("a",), 1.0, 2.0, pictures=1), Call(("b",), 1.0, 2.0)]

        assert judgement.without_picture(written, calls) == ["b"]

    def test_text_and_refused_picture_are_none(self):
        written = [wrote("a", at=1.0), replace(wrote("b", at=1.0, status=503), is_picture=True)]

        assert judgement.without_picture(written, []) == []


class TestOverTime:
    def test_parts_the_messages_by_when_they_were_posted(self):
        written = [wrote(str(second), at=float(second)) for second in range(8)]
        sends = [Send((str(second),), "1202", second + 0.1 * (second // 2 + 1)) for second in range(8)]

        quarters = judgement.over_time(judgement.match(written, [], sends), start=0.0, seconds=8.0)

        assert [(part["messages"], part["p50"]) for part in quarters] == [
            (2, 100),
            (2, 200),
            (2, 300),
            (2, 400),
        ]

    def test_counts_what_was_late_in_the_last_part(self):
        answered = judgement.match([wrote("a", at=9.0)], [], [Send(("a",), "1202", 9.5)])

        assert judgement.over_time(answered, start=0.0, seconds=8.0)[-1]["messages"] == 1


class TestBacklog:
    def test_is_what_was_posted_and_not_answered(self):
        written = [wrote("a", at=1.0), wrote("b", at=2.0), wrote("c", at=3.0)]
        sends = [Send(("a",), "1202", 2.5), Send(("b",), "1202", 3.5), Send(("c",), "1202", 4.5)]
        answered = judgement.match(written, [], sends)

        assert [judgement.backlog(answered, at) for at in (0.5, 1.5, 2.2, 3.1, 4.0, 5.0)] == [
            0,
            1,
            2,
            2,
            1,
            0,
        ]


class TestHeld:
    @pytest.mark.parametrize(
        ("medians", "expected"),
        [
            ((90, 100, 100, 110), True),
            ((300, 120, 110, 100), True),
            ((90, 150, 300, 450), False),
            ((1100, 1100, 1100, 1100), False),
            ((100, 100, 100, float("nan")), False),
        ],
    )
    def test_means_that_the_added_latency_neither_rises_nor_is_high(self, medians, expected):
        assert judgement.is_held([{"p50": median} for median in medians]) is expected
