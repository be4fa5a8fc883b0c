import re

import pytest

from config.docs import library, markdown

PAGES = sorted(name for name, file in library.files().items() if file.is_page)
# Each of these is listed in the index of its folder and not at the side.
DECISIONS = [name for name in PAGES if name.startswith("decisions/") and name != "decisions/README.md"]
OUTSIDE = [
    "../config/settings.py",
    "..%2fconfig/settings.py",
    "%2e%2e/%2e%2e/config/settings.py",
    "decisions/../../README.md",
    "....//config/settings.py",
    "/etc/passwd",
    "//etc/passwd",
    "..\\config\\settings.py",
    "README.md%00.sh",
    "~/.bashrc",
]


@pytest.fixture
def html(client):
    def get(address=""):
        return client.get(f"/docs/{address}").content.decode()

    return get


class TestPages:
    @pytest.mark.parametrize("name", PAGES)
    def test_are_shown_with_their_title(self, client, name):
        file = library.files()[name]

        response = client.get(file.url)

        assert response.status_code == 200
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
        assert f"<title>{markdown_escaped(file.title)} · Documentation</title>" in response.content.decode()

    @pytest.mark.parametrize("name", PAGES)
    def test_need_nothing_that_the_policy_forbids(self, client, name):
        shown = client.get(library.files()[name].url).content.decode()

        assert not re.search(r"<[^>]+\s(style|on\w+)=", shown)
        assert "<style" not in shown
        assert re.findall(r"<script[^>]*>", shown) == ['<script src="/static/docs/copy.js" defer>']
        assert not re.search(r'(?:src|<link[^>]+href)="(?:https?:)?//', shown)

    def test_begin_at_the_root(self, client):
        for address in ("/", "/docs"):
            assert client.get(address).headers["Location"] == "/docs/"

    def test_list_every_page_at_the_side_and_mark_the_one_that_is_shown(self, html):
        shown = html("errors")

        for name in set(PAGES) - set(DECISIONS):
            assert f'href="{library.files()[name].url}"' in shown
        assert '<a href="/docs/errors" aria-current="page">' in shown

    def test_of_decisions_are_listed_in_their_index_only(self, html):
        index, another = html("decisions/"), html("errors")

        assert len(DECISIONS) > 80
        assert [name for name in DECISIONS if f'href="{library.files()[name].url}"' not in index] == []
        assert [name for name in DECISIONS if f'href="{library.files()[name].url}"' in another] == []

    def test_have_headings_that_can_be_linked_to(self, html):
        assert '<h2 id="validation_error">validation_error' in html("errors")

    def test_link_to_each_other_by_address(self, html):
        assert 'href="/docs/errors#throttled"' in html("api")
        assert 'href="/docs/api#authentication"' in html("errors")
        assert 'href="/docs/decisions/"' in html()
        assert 'href="/docs/#quick-start"' in html("integrations/whatsapp")

    def test_say_in_which_language_code_is_written(self, html):
        assert '<code class="language-sh">' in html()

    @pytest.mark.parametrize("file", ["docs.css", "copy.js", "icon.svg"])
    def test_come_with_their_files(self, client, file):
        assert client.get(f"/static/docs/{file}").status_code == 200


class TestSamples:
    @pytest.fixture
    def sample(self, tmp_path, monkeypatch):
        (tmp_path / "examples").mkdir()
        (tmp_path / "examples" / "list.sh").write_text("curl '<b>'\n")
        (tmp_path / "examples" / "secret.env").write_text("KEY=1\n")
        (tmp_path / "examples" / "link.sh").symlink_to("/etc/hostname")
        found = library.files.__wrapped__(tmp_path)
        monkeypatch.setattr(library, "addresses", lambda: {file.address: file for file in found.values()})

    def test_are_given_as_plain_text(self, client, sample):
        response = client.get("/docs/examples/list.sh")

        assert response.content == b"curl '<b>'\n"
        assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert response.headers["X-Content-Type-Options"] == "nosniff"

    @pytest.mark.parametrize("name", ["secret.env", "link.sh"])
    def test_are_only_what_is_meant_to_be_shown(self, client, sample, name):
        assert client.get(f"/docs/examples/{name}").status_code == 404


class TestOtherAddresses:
    @pytest.mark.parametrize("address", ["nothing", "errors/", "errors.md", "README", "decisions", *OUTSIDE])
    def test_are_not_found(self, client, address):
        assert client.get(f"/docs/{address}").status_code == 404

    def test_take_no_other_method(self, client):
        assert client.post("/docs/errors").status_code == 405


class TestMarkdown:
    def shown(self, text):
        return markdown.render(text, resolve=lambda href: None if href == "away" else href).html

    def test_shows_html_as_text(self):
        assert "<script>" not in self.shown("a <script>alert(1)</script>\n\n<div onclick=x>\n")

    def test_leaves_out_comments_that_mark_what_a_program_writes(self):
        assert self.shown("a\n\n<!-- reference: x -->\n\nb\n") == "<p>a</p>\n<p>b</p>\n"

    def test_drops_addresses_that_run_code(self):
        assert "<a" not in self.shown("[x](javascript:alert(1)) [y](data:text/html,x)")

    def test_keeps_the_text_of_a_link_that_leads_nowhere_here(self):
        assert self.shown("[text](away)") == '<p><span class="in-repository">text</span></p>\n'

    def test_aligns_columns_without_styles(self):
        assert '<td class="align-right">1</td>' in self.shown("| a |\n|--:|\n| 1 |\n")

    def test_names_equal_headings_apart_as_github_does(self):
        page = markdown.render("# A `b_c`: d!\n\n## Ö x\n\n## Ö x\n", resolve=str)

        assert [heading.anchor for heading in page.headings] == ["a-b_c-d", "ö-x", "ö-x-1"]


def markdown_escaped(text):
    return text.replace("&", "&amp;").replace("'", "&#x27;")
