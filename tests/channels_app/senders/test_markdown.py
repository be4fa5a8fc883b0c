import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels_app.senders import instagram, markdown, whatsapp

TABLE = "| Size | **Price** |\n|---|---:|\n| S | `5` |\n| L |  |"
CODE = "```python\ndef f(x):\n    return x*2*3\n```"


class TestFormatted:
    @pytest.mark.parametrize(
        ("text", "on_whatsapp", "on_instagram"),
        [
            ("**bold** and __bold__", "*bold* and *bold*", "bold and bold"),
            ("*it* and _it_", "_it_ and _it_", "it and it"),
            ("~~$100~~ $80", "~$100~ $80", "$100 $80"),
            ("***both***", "_*both*_", "both"),
            ("**bold *and italic***", "*bold _and italic_*", "bold and italic"),
            ("**a **b** c**", "*a b c*", "a b c"),
            ("**two\nlines**", "*two*\n*lines*", "two\nlines"),
            ("Call `f(*a, **b)`.", "Call `f(*a, **b)`.", "Call f(*a, **b)."),
            ("``a`b``", "```a`b```", "a`b"),
            (CODE, "```\ndef f(x):\n    return x*2*3\n```", "def f(x):\n    return x*2*3"),
            ("```\nnever closed", "```\nnever closed\n```", "never closed"),
            ("# Our **new** prices #\nHi", "*Our new prices*\nHi", "Our new prices\nHi"),
            ("### _Hours_", "*_Hours_*", "Hours"),
            ("[Shop](https://a.b/c_d_)", "Shop (https://a.b/c_d_)", "Shop (https://a.b/c_d_)"),
            ("**[Shop](https://a.b)**", "*Shop (https://a.b)*", "Shop (https://a.b)"),
            ("[https://a.b](https://a.b)", "https://a.b", "https://a.b"),
            ("[a.b](https://www.a.b/)", "https://www.a.b/", "https://www.a.b/"),
            ("[x@a.b](mailto:x@a.b)", "x@a.b", "x@a.b"),
            ("[us](tel:+12025550143)", "us (+12025550143)", "us (+12025550143)"),
            (
                "[путь](https://пример.рф/путь)",
                "путь (https://пример.рф/путь)",
                "путь (https://пример.рф/путь)",
            ),
            ("<https://a.b>", "https://a.b", "https://a.b"),
            ("See ![a cat](https://a.b/cat.png)!", "See https://a.b/cat.png!", "See https://a.b/cat.png!"),
            ("- **Name:** x\n  * _y_\n1. **z**", "- *Name:* x\n  * _y_\n1. *z*", "- Name: x\n  * y\n1. z"),
            (f"{TABLE}\n\nEnd", "Size | *Price*\nS | `5`\nL\n\nEnd", "Size | Price\nS | 5\nL\n\nEnd"),
            ("> **quote**", "> *quote*", "> quote"),
            ("a\n\n---\n\nb", "a\n\nb", "a\n\nb"),
            (r"\*not italic\* 1\. \#", "*not italic* 1. #", "*not italic* 1. #"),
            ("a\\\nb", "a\nb", "a\nb"),
            ("**Цена:** 5 €, **«да»**.", "*Цена:* 5 €, *«да»*.", "Цена: 5 €, «да»."),
            ("**👍** ok", "*👍* ok", "👍 ok"),
            ("这是**重要**的", "这是重要的", "这是重要的"),
            ("**https://a.b/x**", "*https://a.b/x*", "https://a.b/x"),
            ("a\r\n**b**\rc", "a\n*b*\nc", "a\nb\nc"),
        ],
    )
    def test_turns_markdown_into_the_channels_marks(self, text, on_whatsapp, on_instagram):
        assert whatsapp.formatted(text) == on_whatsapp
        assert instagram.formatted(text) == on_instagram

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "One\nTwo  \n\n\n  Three\t\n",
            "* one\n* two\n    * three\n+ four",
            "1) one\n2) two",
            "5*3*2 = 30, 2**3**2, 4 * 5 * 6",
            "snake_case_name and CONST_A_B",
            "https://a.b/_x_/c*d*e?q=~1 (https://en.wiki/Foo_(bar)_baz)",
            "Write to @_shop_ or @a_b_c.",
            "Price: 5 €*\n* incl. VAT",
            "🙂👨‍👩‍👧‍👦 🇩🇪",
            "#1 #tag #",
            "Total\n-----\n5 €\n=====",
            "Name: ______",
            "a | b\nc | d",
            "[1] and [ ] and [x] (see below)",
            "[run](javascript:alert(1))",
            "    four spaces",
            "C:\\temp & <b>x</b> &amp; 1 < 2 > 0",
            "*open and **open and `open",
            "---",
            "![]()",
        ],
    )
    def test_leaves_everything_else_alone(self, text):
        assert whatsapp.formatted(text) == text
        assert instagram.formatted(text) == text

    @given(
        st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\r\0\\`*_~[]<#|!-+=@:"))
    )
    def test_leaves_text_without_any_mark_alone(self, text):
        assert whatsapp.formatted(text) == text
        assert instagram.formatted(text) == text

    @given(st.text(alphabet="ab1 \n*_~`#|-[]()!\\>:/.", max_size=60))
    def test_loses_no_letter_and_invents_none(self, text):
        # Letters of a picture's description and of a code block's language are not shown.
        if "![" in text or "```" in text or "~~~" in text or "](" in text:
            return

        for formatted in (whatsapp.formatted(text), instagram.formatted(text)):
            assert re.findall("[ab1]", formatted) == re.findall("[ab1]", text)

    def test_leaves_a_text_that_is_too_long_as_it_is(self):
        longest = "**a**\n\n".ljust(markdown.LONGEST_TEXT, "x")

        assert whatsapp.formatted(longest).startswith("*a*\n")
        assert whatsapp.formatted(f"{longest}x") == f"{longest}x"

    def test_leaves_the_marks_of_a_paragraph_with_too_many_of_them_as_they_are(self):
        fits = "**a** " * (markdown.MOST_MARKS // 4)
        too_many = f"{fits}**a**"

        found = whatsapp.formatted(f"{fits}\n\n{too_many}\n\n# Hi")

        assert found == f"{fits.replace('**', '*')}\n\n{too_many}\n\n*Hi*"

    def test_turns_the_marks_of_a_long_paragraph(self):
        assert whatsapp.formatted(f"**a** {'word ' * 3_000}**b**") == f"*a* {'word ' * 3_000}*b*"

    @pytest.mark.parametrize(
        "mark", ["[", "*", "`", "|", "**a", "_a ", "[a](", "~~", "![", "\\", "a://", "@", "|-\n"]
    )
    def test_takes_no_time_over_a_hostile_text(self, mark):
        whatsapp.formatted((mark * 8000)[:8000])
