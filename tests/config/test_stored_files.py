"""config/lib/stored_files.py: a storage that is away costs a file at most."""

import pytest

from config.lib import stored_files
from config.lib.breaker import Breaker
from config.lib.stored_files import StorageError
from tests.storages import AwayStorage, HangingStorage, use


@pytest.fixture(autouse=True)
def breaker(monkeypatch) -> Breaker:
    """A breaker that has seen no failure."""
    new = Breaker("storage", failures=3, window=60, pause=10)
    monkeypatch.setattr(stored_files, "breaker", new)
    return new


def test_stored_file_is_read_unless_its_size_is_not_admitted(media_storage):
    name = stored_files.save("1/a.png", b"picture")

    assert stored_files.read(name) == b"picture"
    assert stored_files.read(name, admits=lambda size: size < 7) is None


@pytest.mark.parametrize("name", ["1/gone.png", "1", "../secret"])
def test_missing_file_is_no_failure_of_the_storage(media_storage, breaker, name):
    stored_files.save("1/a.png", b"picture")

    for _ in range(4):
        with pytest.raises(FileNotFoundError):
            stored_files.read(name)

    assert breaker.allows()


def test_errors_of_the_storage_are_oserrors(settings):
    use(settings, AwayStorage)

    with pytest.raises(StorageError, match="ForeignStorageError: Could not connect"):
        stored_files.read("1/a.png")
    with pytest.raises(StorageError, match="ForeignStorageError: Could not connect"):
        stored_files.save("1/a.png", b"picture")


def test_storage_that_hangs_is_given_up_and_after_three_failures_left_alone(settings, monkeypatch, breaker):
    use(settings, HangingStorage)
    monkeypatch.setattr(stored_files, "SECONDS", 0.05)

    for _ in range(3):
        with pytest.raises(StorageError, match="TimeoutError"):
            stored_files.read("1/a.png")
    with pytest.raises(StorageError, match="left alone"):
        stored_files.read("1/a.png")
    HangingStorage.release.set()

    assert breaker.is_open
