import pytest

from tests.documentation import node


class TestPrograms:
    @pytest.mark.parametrize(
        ("name", "version"),
        [
            ("tsc", "5.9.3"),
            ("newman", "6.2.2"),
            ("openapi2postmanv2", "6.3.3"),
            ("openapi-typescript", "7.13.0"),
        ],
    )
    def test_are_installed_in_the_version_that_is_locked(self, name, version):
        ended = node.run(name, "--version")

        assert ended.returncode == 0, ended.stderr
        assert version in ended.stdout

    def test_that_are_not_installed_are_missed_by_name(self):
        with pytest.raises(FileNotFoundError, match="make node_modules"):
            node.program("no-such-program")
