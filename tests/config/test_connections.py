"""Clients that hold connections open do not keep others from being answered; against the real processes."""

import re
import resource
import socket
from contextlib import ExitStack

import pytest
import requests

from config.embedded import programs
from config.gateway import open_files
from tests import environment
from tests.rig import COMMANDS, PROJECT

MANY = 600
OPTIONS = ("--http", "--backlog", "--backpressure", "--http1-header-read-timeout", "--http1-buffer-size")


@pytest.fixture
def processes(_rig):
    _rig.migrate()
    _rig.start("web", "webhook")
    open_files.allow(MANY + 400)


def held(stack: ExitStack, port: int, first: bytes = b"") -> list[socket.socket]:
    """Open many connections, and send the same first bytes on each."""
    opened = []
    for _ in range(MANY):
        connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
        connection.sendall(first)
        opened.append(connection)
    return opened


def answers(port: int) -> bool:
    return requests.get(f"http://127.0.0.1:{port}/health/live", timeout=60).ok


def status(connection: socket.socket) -> bytes:
    return connection.recv(12)[9:]


@pytest.mark.parametrize("port", [environment.API_PORT, environment.WEBHOOK_PORT], ids=["web", "webhook"])
def test_silent_connections_are_closed_and_others_are_answered_meanwhile(processes, port):
    with ExitStack() as stack:
        silent = held(stack, port)

        is_answered = answers(port)
        rest = [connection.recv(1) for connection in silent]

    assert is_answered
    assert rest == [b""] * MANY


def test_half_sent_pictures_without_a_session_are_refused_and_others_are_answered_meanwhile(processes):
    first = b"POST /webchat/web_none/files HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000000\r\n\r\nabc"
    with ExitStack() as stack:
        pictures = held(stack, environment.API_PORT, first)

        is_answered = answers(environment.API_PORT)
        statuses = [status(connection) for connection in pictures]

    assert is_answered
    # So many of one chat are more than its share.
    assert set(statuses) <= {b"404", b"503"}


def test_half_sent_pictures_are_not_known_to_the_webhook_process(processes):
    first = b"POST /webchat/web_none/files HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000000\r\n\r\nabc"
    with ExitStack() as stack:
        pictures = held(stack, environment.WEBHOOK_PORT, first)

        assert answers(environment.WEBHOOK_PORT)
        assert [status(connection) for connection in pictures] == [b"404"] * MANY


def test_a_refused_client_that_goes_on_sending_reads_the_answer(processes):
    for _ in range(10):
        answer = requests.post(f"{environment.API_URL}/webchat/web_none/files", bytes(5_000_000), timeout=60)
        assert answer.status_code == 404


@pytest.mark.parametrize("name", ["web", "webhook"])
def test_the_procfile_and_the_tests_start_the_server_with_the_same_options(name):
    command = programs.read_procfile(PROJECT / "Procfile")[name]
    tested = " ".join(COMMANDS[name])

    for option in OPTIONS:
        [value] = re.findall(rf"{option} (\S+)", command)
        assert re.findall(rf"{option} (\S+)", tested) == [value], option
    assert command.split()[-1] == tested.split()[-1]


def test_a_process_may_open_a_file_for_each_connection():
    wanted = open_files.allow()

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert wanted == min(open_files.CONNECTIONS + 400, hard if hard > 0 else wanted)
    assert soft >= wanted
