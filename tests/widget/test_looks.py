"""How the widget looks, and whom it keeps out."""

import pytest
import requests
from playwright.sync_api import expect

from tests import environment
from tests.documentation import node
from tests.widget.talk import answers, bubbles, launcher, opened, picture, write

pytestmark = pytest.mark.long


class TestPages:
    @pytest.mark.parametrize("look", ["light", "dark", "phone", "rtl", "page"])
    def test_have_nothing_in_the_way_of_anybody(self, visit, business, shop, look):
        answers(
            business,
            "We do: see [the list](https://shop.example).\n\n1. `rye`\n2. wheat\n\na | b\n-|-\nc | d\n> e",
        )
        shop.dir = "rtl" if look == "rtl" else "ltr"
        phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
        page = visit(
            bypass_csp=True,
            color_scheme="dark" if look == "dark" else "light",
            **(phone if look == "phone" else {}),
        )
        if look == "page":
            page.goto(f"{environment.API_URL}/webchat/{business.phone_number_id}")
        else:
            opened(page)
        write(page, "Do you bake bread?")
        expect(bubbles(page, "ai").last).to_contain_text("wheat")
        picture(page, look)

        page.evaluate((node.MODULES / "axe-core" / "axe.min.js").read_text())
        found = page.evaluate("() => axe.run()")

        wrong = [(one["id"], [place["html"] for place in one["nodes"]]) for one in found["violations"]]
        assert wrong == []

    @pytest.mark.parametrize("color", ["#ffffff", "#ffe600", "#808080", "#000000"])
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_can_be_read_in_any_colour(self, visit, business, color, scheme):
        business.rig.execute(
            "UPDATE web_chats SET color = %s, welcome_text = %s WHERE phone_number_id = %s",
            *(color, "See [the list](https://shop.example)", business.phone_number_id),
        )
        page = visit(bypass_csp=True, color_scheme=scheme)
        opened(page)
        page.context.set_offline(True)
        write(page, "Do you bake bread?")
        page.fill("web-chat textarea", "I ask")

        page.evaluate((node.MODULES / "axe-core" / "axe.min.js").read_text())
        found = page.evaluate("() => axe.run({ runOnly: ['color-contrast'] })")

        assert found["violations"] == []
        # Where it has the colour of its ground a bubble has a line around it.
        edge = bubbles(page, "visitor").evaluate("one => getComputedStyle(one).boxShadow")
        assert ("inset" in edge) == (scheme == "dark" or color in {"#ffffff", "#ffe600"})

    def test_stay_where_the_business_allows_them(self, visit, business, shop):
        page = visit("/framed")
        frame = page.frame_locator("iframe")

        expect(frame.locator("web-chat textarea")).to_be_visible()
        business.rig.execute(
            "UPDATE web_chats SET allowed_origins = '{}' WHERE phone_number_id = %s", business.phone_number_id
        )
        answer = requests.get(f"{environment.API_URL}/webchat/{business.phone_number_id}", timeout=60)

        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]

    def test_show_nothing_where_they_are_not_allowed(self, visit, business, shop):
        business.rig.execute(
            "UPDATE web_chats SET allowed_origins = '{https://shop.example}' WHERE phone_number_id = %s",
            business.phone_number_id,
        )

        with pytest.raises(AssertionError):
            expect(launcher(visit())).to_be_visible(timeout=1500)
