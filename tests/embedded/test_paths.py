"""Where sockets and data are."""

import os
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from config.embedded import external, paths
from config.embedded.errors import StartError

DEEP = Path("/srv") / ("deep" * 30) / ".data"


class TestUrls:
    def test_name_the_socket_beside_the_data(self):
        folder = Path("/srv/My Project, 100%/.data")

        database, redis = paths.postgres_url(folder), paths.valkey_url(folder)

        assert conninfo_to_dict(database)["host"] == "/srv/My Project, 100%/.data/postgres"
        assert external.connection(database)["host"] == "/srv/My Project, 100%/.data/postgres"
        assert redis == "unix:///srv/My%20Project%2C%20100%25/.data/valkey/valkey.sock?db=0"

    def test_of_a_deep_checkout_are_short_and_always_the_same(self):
        sockets = [
            paths.socket_folder(DEEP, "postgres") / paths.POSTGRES_SOCKET,
            paths.socket_folder(DEEP, "valkey") / paths.VALKEY_SOCKET,
            Path(f"{paths.control_socket(DEEP)}.4194304"),
        ]

        assert all(len(os.fsencode(socket)) <= 107 for socket in sockets)
        assert sockets[0].is_relative_to("/tmp")
        assert paths.postgres_url(DEEP) == paths.postgres_url(DEEP)
        assert paths.postgres_url(DEEP) != paths.postgres_url(DEEP / "other")

    def test_of_the_longest_path_that_fits_stay_beside_the_data(self):
        longest = Path("/" + "x" * (107 - len("//postgres/.s.PGSQL.5432")))

        assert paths.socket_folder(longest, "postgres") == longest / "postgres"
        assert paths.socket_folder(Path(f"{longest}x"), "postgres").is_relative_to("/tmp")
        assert len(f"{paths.control_socket(longest)}.4194304") <= 107


class TestMakeFolders:
    def test_shuts_everything_below_the_top(self, tmp_path):
        paths.make_folders(tmp_path / ".data")

        modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / ".data").iterdir()}
        assert modes == {"run": 0o700, "log": 0o700, "valkey": 0o700, "secrets": 0o700}

    def test_refuses_a_link(self, tmp_path):
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / ".data").symlink_to(tmp_path / "elsewhere")

        with pytest.raises(StartError, match="symbolic link"):
            paths.make_folders(tmp_path / ".data")

    @pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
    def test_refuses_the_folder_of_another_user(self, tmp_path):
        (tmp_path / ".data").mkdir()
        os.chown(tmp_path / ".data", 1234, 1234)

        with pytest.raises(StartError, match="belongs to another user"):
            paths.make_folders(tmp_path / ".data")
