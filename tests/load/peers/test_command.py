import pytest

from tests.load.peers import command
from tests.load.peers.peer import Peer

_MACHINE = {"busy": 6.0, "idle": 3.0, "stolen": 1.0, "others": 0.0}


def step(rate, *, held=True, p50=40.0):
    usage = {"cpu_seconds": {"worker-1": 1.0, "worker-2": 1.0, "generator": 0.5}, "machine": _MACHINE}
    return {
        "rate": rate,
        "held": held,
        "messages": 200,
        "added_ms": {"p50": p50, "p95": 80.0, "p99": 90.0, "max": 100.0},
        "usage": usage,
        "lost": 0,
        "doubled": 0,
        "out_of_order": 0,
    }


def killed(*, lost=0, doubled=0):
    wrong = {"lost": lost, "doubled": doubled, "out_of_order": 0}
    return {"added_ms": {"p50": 40.0, "p99": 9000.0, "max": 11_000.0}, **wrong}


def run(service, p50, **wrong):
    return {"service": service, "figures": command.figures_of([step(30.0, p50=p50)], killed(**wrong))}


def test_figures_name_the_highest_rate_held_and_the_messages_that_a_kill_lost():
    figures = command.figures_of([step(30.0), step(60.0, held=False)], killed(lost=2, doubled=1))

    assert figures["rate held, messages/s"] == 30
    assert figures["added at 60/s p99, ms"] == 90
    assert figures["CPU of service at 30/s, ms a message"] == 10
    assert (figures["kill -9: lost"], figures["kill -9: doubled"]) == (2, 1)
    assert figures["kill -9: slowest reply, s"] == 11
    assert figures["others took, share of the machine"] == pytest.approx(0.1)


def test_rate_held_is_none_where_the_first_is_not_held():
    assert command.figures_of([step(30.0, held=False)], killed())["rate held, messages/s"] == 0


def test_wrong_messages_of_rounds_add_up_and_latencies_are_medians():
    runs = [run("ours", 40.0, doubled=1), run("ours", 60.0), run("ours", 41.0, doubled=2)]

    figures = command.summarize(runs)["ours"]

    assert figures["kill -9: doubled"] == 3
    assert figures["added at 30/s p50, ms"] == 41


def test_table_has_a_ratio_to_ours_beside_each_figure():
    summary = command.summarize([run("ours", 40.0), run("celery", 20.0, lost=1)])

    lines = command.as_markdown(summary).splitlines()

    assert lines[0] == "|  | ours | celery | celery : ours |"
    assert "| added at 30/s p50, ms | 40.0 | 20.0 | 0.500 |" in lines
    assert "| kill -9: lost | 0 | 1.00 | - |" in lines


@pytest.mark.parametrize(
    "words", [["--rounds", "0"], ["--rates", "0"], ["--seconds", "0"], ["--recovery", "0.5"], ["steady"]]
)
def test_command_that_makes_no_sense_is_refused(words, capsys):
    with pytest.raises(SystemExit):
        command.main(words)
    assert "usage" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["procrastinate", "celery"])
def test_compared_service_has_two_workers_as_ours(name, tmp_path):
    assert list(Peer(name, tmp_path).commands()) == ["webhook", "worker-1", "worker-2"]
