"""What `make run` checks before anything starts, and what it starts."""

import os
import shutil
import signal
import socket
import threading

import environ
import pytest

from config.embedded import choices, external, paths, ports, programs
from config.embedded.errors import StartError
from config.embedded.stops import StopRequestedError, Stops
from config.embedded.welcome import welcome

pytestmark = pytest.mark.long

LEFT_TO_US = (
    "DATABASE_URL", "REDIS_URL", "OPENAI_API_KEY", "OPENAI_BASE_URL", "WHATSAPP_API_BASE_URL",
    "INSTAGRAM_API_BASE_URL", "APP_ENV", "NODE_ENV", "API_PORT", "LIVE_PORT", "WEBHOOK_PORT",
    "SIMULATOR_PORT", "DATA_DIR",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch, tmp_path):
    for name in LEFT_TO_US:
        monkeypatch.delenv(name, raising=False)
    # A developer's .env is not read here.
    monkeypatch.setattr(environ.Env, "read_env", lambda *_, **__: None)


@pytest.fixture
def taken_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


class TestChoices:
    def test_leave_everything_to_us_by_default(self):
        chosen = choices.from_environment()

        assert chosen.simulated
        assert chosen.seed
        assert (chosen.database_url, chosen.redis_url) == ("", "")
        assert chosen.ports == {
            "WEBHOOK_PORT": 3000,
            "API_PORT": 8080,
            "LIVE_PORT": 8090,
            "SIMULATOR_PORT": 9090,
        }

    def test_take_an_empty_variable_for_none(self, monkeypatch):
        monkeypatch.setenv("DATABASE_URL", "")

        choices.from_environment()

        assert "DATABASE_URL" not in os.environ

    def test_need_no_simulator_when_every_vendor_is_real(self, monkeypatch):
        monkeypatch.setenv("OPENAI_API_KEY", "sk-real")
        monkeypatch.setenv("WHATSAPP_API_BASE_URL", "https://graph.facebook.com/v22.0")
        assert choices.from_environment().simulated

        monkeypatch.setenv("INSTAGRAM_API_BASE_URL", "https://graph.instagram.com/v22.0")
        assert not choices.from_environment().simulated

    def test_refuse_stand_ins_in_production(self, monkeypatch):
        monkeypatch.setenv("NODE_ENV", "production")
        monkeypatch.setenv("REDIS_URL", "redis://redis/0")

        with pytest.raises(StartError, match=r"set DATABASE_URL\.$"):
            choices.from_environment()

    @pytest.mark.parametrize("value", ["http", "0", "65536", "-1"])
    def test_refuse_what_is_no_port(self, monkeypatch, value):
        monkeypatch.setenv("API_PORT", value)

        with pytest.raises(StartError, match="API_PORT"):
            choices.from_environment()


class TestPorts:
    def test_name_the_variable_of_a_taken_one(self, taken_port):
        with pytest.raises(StartError, match=f"Port {taken_port} is taken .*`API_PORT="):
            ports.require_free({"API_PORT": taken_port})

    def test_must_differ(self):
        with pytest.raises(StartError, match="API_PORT and WEBHOOK_PORT are both"):
            ports.require_free({"API_PORT": 43217, "WEBHOOK_PORT": 43217})


class TestExternal:
    @pytest.mark.parametrize(
        ("url", "words"),
        [
            ("postgres://bob:s3cret@127.0.0.1:1/shop", "'shop' at 127.0.0.1:1"),
            ("postgres://bob:s3c/ret@127.0.0.1:1/shop", "not of the form"),
            ("postgres//bob:s3cret@127.0.0.1/shop", "not of the form"),
            ("nonsense://bob:s3cret@127.0.0.1/shop", "not of the form"),
        ],
    )
    def test_a_database_that_is_away_is_named_without_its_password(self, url, words, recwarn):
        with pytest.raises(StartError, match=words) as caught:
            external.require_database(url)

        assert "s3c" not in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1
        assert not recwarn.list

    @pytest.mark.parametrize(
        ("url", "words"),
        [
            ("redis://:s3cret@127.0.0.1:1/0", "127.0.0.1:1"),
            ("redis://:s3c/ret@127.0.0.1:1/0", "not of the form"),
            ("127.0.0.1:6379", "not of the form"),
            ("unix:///nowhere/valkey.sock", "/nowhere/valkey.sock"),
        ],
    )
    def test_a_redis_that_is_away_is_named_without_its_password(self, url, words):
        with pytest.raises(StartError, match=words) as caught:
            external.require_redis(url)

        assert "s3c" not in str(caught.value)

    def test_what_is_there_is_accepted(self, servers):
        external.require_database(servers.database_url)
        external.require_redis(servers.redis_url)

    def test_a_shown_url_has_no_password(self):
        assert external.masked("postgres://bob:s3cret@db:5432/shop") == "postgres://bob:***@db:5432/shop"


class TestPrograms:
    def test_are_those_of_the_procfile(self, tmp_path):
        (tmp_path / "Procfile").write_text(
            "# stub\n\nweb: exec serve --port ${PORT:-80}\nworker: exec work\n"
        )

        app = programs.app(tmp_path / "Procfile")

        assert [program.name for program in app] == ["web", "worker-1", "worker-2"]
        assert app[0].command[-2:] == ["-c", "exec serve --port ${PORT:-80}"]

    def test_of_ours_can_be_found(self):
        commands = programs.read_procfile(paths.PROJECT / "Procfile")

        search = programs.environment(choices.from_environment())["PATH"]
        for command in commands.values():
            words = command.rpartition("exec ")[2].split()
            assert shutil.which(words[0], path=search), command

    def test_tell_the_simulator_where_the_webhook_is(self, monkeypatch):
        monkeypatch.delenv("SIMULATOR_WEBHOOK_URL", raising=False)
        monkeypatch.setenv("WEBHOOK_PORT", "3210")

        environment = programs.environment(choices.from_environment())

        assert environment["SIMULATOR_WEBHOOK_URL"] == "http://127.0.0.1:3210/webhook/meta"


class TestStops:
    @pytest.fixture
    def stops(self):
        before = {
            number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        }
        stops = Stops()
        stops.listen()
        yield stops
        for number, handler in before.items():
            signal.signal(number, handler)

    def test_end_a_wait_at_once(self, stops):
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()

        with pytest.raises(StopRequestedError):
            stops.wait(30)

        assert not stops.are_urgent

    def test_become_urgent_when_repeated(self, stops):
        for _ in range(2):
            signal.raise_signal(signal.SIGINT)

        assert stops.are_urgent


class TestWelcome:
    def test_shows_no_password(self, monkeypatch):
        monkeypatch.setenv("DATABASE_URL", "postgres://bob:s3cret@db/shop")

        text = welcome(choices.from_environment(), {"api_key": "key", "display_phone_number": "+1"})

        assert "s3cret" not in text
        assert "http://127.0.0.1:8080" in text
