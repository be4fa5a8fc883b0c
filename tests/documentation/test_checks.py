"""The page of the start-up checks names each check, and each secret of a checkout by its file."""

import re

from config.lib import demo_credentials, local_secrets
from config.settings import BASE_DIR

PAGE = (BASE_DIR / "documentation" / "checks.md").read_text()


class TestPage:
    def test_explains_exactly_the_checks_there_are(self):
        sources = [BASE_DIR / "config" / "checks.py", *(BASE_DIR / "config" / "deployment").glob("*.py")]
        there_are = {
            found for path in sources for found in re.findall(r'"(config\.[EWI]\d+)"', path.read_text())
        }

        assert len(there_are) > 20
        assert set(re.findall(r"^\| `(config\.[EWI]\d+)`", PAGE, re.MULTILINE)) == there_are

    def test_names_the_file_of_each_secret(self):
        files = {
            *(local_secrets.PUBLISHED.keys() - {"OPENAI_API_KEY"}),
            *(demo_credentials.KEY_SECRET, demo_credentials.OPERATOR_KEY_SECRET),
            demo_credentials.STAFF_PASSWORD,
        }

        assert [name for name in files if f"`{name}`" not in PAGE] == []

    def test_gives_a_role_the_settings_that_sessions_have(self, settings):
        written = dict(re.findall(r"^ALTER ROLE app SET (\w+) = '(\w+)';$", PAGE, re.MULTILINE))

        assert written == settings.DATABASE_SESSION
