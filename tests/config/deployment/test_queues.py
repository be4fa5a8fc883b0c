"""A queue that no worker reads, and one that does not exist, are found before messages wait in it."""

from config.deployment import queues
from tests.rig import PROJECT

PROCFILE = PROJECT / "Procfile"


def ids(messages) -> list[str]:
    return [message.id for message in messages]


class TestCheck:
    def test_the_procfile_reads_every_queue_there_is(self):
        assert queues.check() == []

    def test_shards_without_a_reader_are_named(self):
        shards = [f"messages.{number}" for number in range(10)]

        (found,) = queues.compare(declared=[*shards, "default"], read=[*shards[:8], "default"])

        assert (found.id, found.is_serious()) == ("config.W003", False)
        assert "messages.8, messages.9" in found.msg

    def test_a_queue_that_does_not_exist_is_an_error(self):
        (found,) = queues.compare(declared=["messages.0"], read=["messages.0", "mesages.1"])

        assert (found.id, found.is_serious()) == ("config.E013", True)
        assert "mesages.1" in found.msg

    def test_is_part_of_check_deploy(self, run_python):
        ended = run_python(
            "manage.py", "check", "--deploy", APP_ENV="test", MESSAGE_QUEUE_SHARDS="9",
            DATABASE_URL="postgres://127.0.0.1:1/none", REDIS_URL="redis://127.0.0.1:1/0",
        )  # fmt: skip

        assert "reads these queues: messages.8." in ended.stderr


class TestRead:
    def test_variables_stand_for_what_the_shell_would_put_in(self):
        shards = {f"messages.{number}" for number in range(8)}

        assert queues.read_queues(PROCFILE, {}) >= shards | {"default", "notify"}
        assert queues.read_queues(PROCFILE, {"WORKER_QUEUES": ""}) == queues.read_queues(PROCFILE, {})
        found = queues.read_queues(PROCFILE, {"WORKER_QUEUES": "messages.0,messages.9"})
        assert found & (shards | {"messages.9"}) == {"messages.0", "messages.9"}
