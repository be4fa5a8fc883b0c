"""Read-through hints in Redis."""

from config.lib import cache


class TestGetOrRead:
    def test_reads_once(self, valkey):
        reads = []

        found = [cache.get_or_read("key", lambda: reads.append(1) or {"a": 1}) for _ in range(3)]

        assert found == [{"a": 1}] * 3
        assert len(reads) == 1

    def test_keeps_what_is_empty_but_not_what_is_not_there(self, valkey):
        for name, value in (("zero", 0), ("none", None), ("list", [])):
            assert cache.get_or_read(name, lambda value=value: value) == value

        assert sorted(valkey.keys()) == [b"list", b"zero"]

    def test_reads_each_time_without_redis(self, servers, valkey):
        reads = iter(range(10))

        servers.valkey.kill()
        try:
            found = [cache.get_or_read("key", lambda: next(reads)) for _ in range(5)]
        finally:
            servers.valkey.start()

        assert found == [0, 1, 2, 3, 4]


class TestDrop:
    def test_waits_for_the_commit(self, valkey, db, django_capture_on_commit_callbacks):
        valkey.set("a", 1), valkey.set("b", 1), valkey.set("c", 1)

        with django_capture_on_commit_callbacks(execute=True):
            cache.drop("a", "b")
            before = valkey.dbsize()

        assert (before, valkey.keys()) == (3, [b"c"])
