"""A long reply is cut where people would cut it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversations.parts import split

TEXTS = st.text(
    st.one_of(st.characters(codec="utf-8"), st.sampled_from(" \n\t.!?ab\u00a0\u2028🙂")), max_size=300
)


class TestSplit:
    @settings(max_examples=150, deadline=None)
    @given(text=TEXTS, limit=st.integers(1, 80))
    def test_loses_nothing_but_whitespace_and_keeps_within_the_limit(self, text, limit):
        parts = split(text, limit=limit)

        assert all(part.strip() and len(part) <= limit for part in parts)
        assert "".join("".join(parts).split()) == "".join(text.split())

    @given(text=TEXTS)
    def test_leaves_a_short_text_whole(self, text):
        stripped = text.strip()

        assert split(text, limit=max(1, len(stripped))) == ([stripped] if stripped else [])

    @pytest.mark.parametrize(
        ("text", "parts"),
        [
            ("One two.\n\nThree. Four", ["One two.", "Three. Four"]),
            ("One two\nthree. Four", ["One two", "three. Four"]),
            ("One two. Three four", ["One two.", "Three four"]),
            ("Yes or no? Say it now", ["Yes or no?", "Say it now"]),
            ("one two three four", ["one two", "three four"]),
            ("onetwothreefour", ["onetwothreef", "our"]),
        ],
    )
    def test_prefers_paragraphs_then_lines_then_sentences_then_words(self, text, parts):
        assert split(text, limit=12) == parts

    def test_does_not_make_tiny_parts_for_a_good_end(self):
        assert split("A. " + "b" * 20, limit=12) == ["A. " + "b" * 9, "b" * 11]

    @pytest.mark.parametrize("text", ["", " ", "\n\n\t"])
    def test_of_nothing_is_nothing(self, text):
        assert split(text, limit=10) == []
