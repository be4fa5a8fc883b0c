"""`documentation/data.md` says of every table what the registry says, and settings have their defaults."""

import re

from django.conf import settings

from privacy.registry import TABLES
from tests.documentation.configuration import sections
from tests.rig import PROJECT

PAGE = (PROJECT / "documentation" / "data.md").read_text()
ROW = re.compile(r"^\| `([a-z_]+)` \| (.*?) \| (.*?) \| (.*?) \|$", re.MULTILINE)


def test_page_lists_every_table_as_the_registry_does():
    listed = {
        name: (holds, kept.strip("`"), on_erasure) for name, holds, kept, on_erasure in ROW.findall(PAGE)
    }

    assert listed == {
        name: (table.holds, table.kept, table.on_erasure.value) for name, table in TABLES.items()
    }


def test_every_setting_that_keeps_a_table_exists_and_is_documented():
    named = {table.kept for table in TABLES.values() if table.kept.endswith("_DAYS")}
    documented = {variable.name for section in sections() for variable in section.variables}

    assert named <= {name for name in dir(settings) if name.endswith("_RETENTION_DAYS")}
    assert named <= documented


def test_page_states_the_default_of_each_setting():
    defaults = {variable.name: variable.default for section in sections() for variable in section.variables}
    stated = dict(re.findall(r"^\| `([A-Z_]+_RETENTION_DAYS)` \| ([\d,]+) \|", PAGE, re.MULTILINE))

    ours = {name: value for name, value in defaults.items() if name.endswith("_RETENTION_DAYS")}
    assert {name: value.replace(",", "") for name, value in stated.items()} == ours
