from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels_app.senders.splitting import split, utf8_size

CLUSTERS = [
    "👨‍👩‍👧‍👦",
    "🇩🇪",
    "👍🏽",
    "e\u0301",
    "क्षि",
    "한",
    "1️⃣",
    "a",
    "ü",
    "中",
]
clusters = st.lists(st.sampled_from(CLUSTERS), max_size=80) | st.lists(
    st.sampled_from([*CLUSTERS, ". ", " ", "\n", "\n\n"]), max_size=80
)
sizes = st.sampled_from([len, utf8_size])


def without_spaces(text):
    return "".join(text.split())


class TestSplit:
    @pytest.mark.parametrize(
        ("text", "limit", "parts"),
        [
            ("", 10, []),
            (" \n ", 10, []),
            (" short ", 10, ["short"]),
            ("exactly 10", 10, ["exactly 10"]),
            ("One two three.\n\nFour. Five six.", 22, ["One two three.", "Four. Five six."]),
            ("First line\nSecond line", 15, ["First line", "Second line"]),
            ("A first. A second. A third.", 20, ["A first. A second.", "A third."]),
            ("He said “No!” And left.", 16, ["He said “No!”", "And left."]),
            ("你好世界。你好世界你好世界", 8, ["你好世界。", "你好世界你好世界"]),
            ("one two three", 9, ["one two", "three"]),
            ("12345 7890", 5, ["12345", "7890"]),
            ("about 5\u00a0000 €", 10, ["about", "5\u00a0000 €"]),
            ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
        ],
    )
    def test_prefers_the_best_end(self, text, limit, parts):
        assert split(text, limit=limit) == parts

    def test_counts_bytes_when_told(self):
        assert split("дддддд", limit=5, size=utf8_size) == ["дд", "дд", "дд"]

    def test_keeps_a_family_together(self):
        assert split("aaa👨‍👩‍👧‍👦b", limit=8) == ["aaa", "👨‍👩‍👧‍👦b"]

    def test_cuts_a_cluster_that_is_too_long_itself(self):
        zalgo = "a" + "\u0301" * 50

        assert split(zalgo, limit=20) == [zalgo[:20], zalgo[20:40], zalgo[40:]]

    @given(st.text(max_size=200), st.integers(4, 50), sizes)
    def test_loses_nothing_and_fits(self, text, limit, size):
        parts = split(text, limit=limit, size=size)

        assert without_spaces("".join(parts)) == without_spaces(text)
        assert all(0 < size(part) <= limit for part in parts)
        assert all(part == part.strip() for part in parts)

    @given(clusters, st.integers(25, 60), sizes)
    def test_never_cuts_inside_a_cluster(self, clusters, limit, size):
        parts = split("".join(clusters), limit=limit, size=size)

        good_ends = set(accumulate(len(without_spaces(cluster)) for cluster in clusters))
        assert good_ends >= set(accumulate(len(without_spaces(part)) for part in parts))

    @given(st.text(alphabet="ab. ", max_size=300), st.integers(2, 20))
    def test_fills_its_parts_by_half_or_more(self, text, limit):
        *parts, _ = split(" ".join(text.split()), limit=limit) or [""]

        assert all(len(part) >= limit // 2 for part in parts)

    def test_is_fast_on_a_long_text(self):
        assert len(split("x" * 400_000, limit=4000)) == 100
