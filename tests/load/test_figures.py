import json

from tests.load import figures, markdown, report

_SPREAD = {"p50": 40.0, "p95": 90.0, "p99": 180.0, "max": 300.0}
_WEBHOOKS = {"count": 10, "per_second": 5.0, "latency_ms": _SPREAD, "not_200": {}}


def measured(**more):
    """Return the measurements of a load of a thousand messages, as `measurement.run_one` does."""
    return {
        "rate": 100.0,
        "messages": 1000,
        "started": 50.0,
        "seconds": 10.0,
        "webhook": _WEBHOOKS,
        "status_webhook": _WEBHOOKS,
        "late_ms": _SPREAD,
        "replies": 990,
        "answered": 1000,
        "answered_per_second": 99.0,
        "answered_all_after_seconds": 12.0,
        "unanswered_when_the_last_was_posted": 30,
        "added_ms": _SPREAD,
        "added_ms_by_quarter": [{"messages": 250, **_SPREAD}] * 4,
        "lost": 0, "doubled": 0, "misdelivered": 0, "out_of_order": 0, "unexpected": 0, "without_picture": 0,
        "left": 0,
        "requests": {"model calls": 1000},
        "memory_mib": {},
        "usage": {
            "seconds": 12.0,
            "cpu_seconds": {
                "worker-1": 3.0, "worker-2": 3.5, "postgres": 4.0, "webhook": 2.0, "simulator": 1.5,
                "generator": 0.5,
            },
            "machine": {"busy": 15.0, "idle": 8.0, "stolen": 1.0, "others": 0.5},
        },
        **more,
    }  # fmt: skip


def fair():
    waiting = {"first": 19_000, "last": 12_000}
    return measured(
        alone=measured(rate=2.0),
        flood=measured(rate=0, messages=20_000),
        trickle=measured(rate=2.0, started=110.0, others_waiting=waiting),
    )


def test_cpu_of_a_message_is_given_for_every_role_and_for_the_service_without_the_harness():
    cpu = figures.cpu(measured())

    assert cpu == {
        "CPU of service, ms a message": 12.5,
        "CPU of worker, ms a message": 6.5,
        "CPU of postgres, ms a message": 4.0,
        "CPU of webhook, ms a message": 2.0,
        "CPU of simulator, ms a message": 1.5,
        "CPU of generator, ms a message": 0.5,
    }


def test_figures_of_capacity_are_the_rate_held_and_those_of_the_first_step():
    steps = [measured(rate=100.0, held=True), measured(rate=120.0, held=False)]

    values = figures.of({"highest_rate_held": 100.0, "steps": steps})

    assert values["rate held, messages/s"] == 100.0
    assert values["added p50 at 100/s, ms"] == 40.0
    assert values["CPU of worker at 100/s, ms a message"] == 6.5


def test_rate_held_is_zero_where_no_rate_was_held():
    steps = [measured(held=False)]

    assert figures.of({"highest_rate_held": None, "steps": steps})["rate held, messages/s"] == 0


def test_figures_of_fair_are_the_latency_of_the_trickle_alone_and_beside_the_flood():
    values = figures.of(fair())

    assert values["trickle alone: added p50, ms"] == 40.0
    assert values["trickle beside the flood: added p99, ms"] == 180.0


def test_figures_of_overload_and_media_have_what_is_their_point():
    overloaded = figures.of(measured(drained_after_seconds=7.5, quiet_after_seconds=9.0))
    assert (overloaded["drained after, s"], overloaded["quiet after, s"]) == (7.5, 9.0)
    assert figures.of(measured(added_ms_of_pictures=_SPREAD))["added of pictures p50, ms"] == 40.0


def test_share_of_the_machine_that_others_took_includes_what_the_host_stole():
    assert figures.others_share(measured()) == 1.5 / 24
    assert figures.others_share({"steps": [measured(), measured()]}) == 1.5 / 24


def test_figures_of_which_nothing_was_measured_are_left_out_and_null_in_json():
    nothing = dict.fromkeys(_SPREAD, float("nan"))

    assert "added p50, ms" not in figures.of(measured(added_ms=nothing))
    assert json.loads(report.as_json({"added_ms": nothing, "steps": [(1, float("inf"))]})) == {
        "added_ms": dict.fromkeys(_SPREAD),
        "steps": [[1, None]],
    }


def test_runs_as_markdown_are_columns_of_one_table():
    text = markdown.of_runs(
        {"steady": {"added p50, ms": 40.0}, "media": {"added p50, ms": 4.25, "x|y": 1234.5}}
    )

    assert text.splitlines() == [
        "|  | steady | media |",
        "| --- | --- | --- |",
        "| added p50, ms | 40.0 | 4.25 |",
        "| x\\|y | - | 1,234 |",
    ]


def test_overload_is_reported_with_acknowledgements_drain_and_refusals():
    overloaded = measured(
        rate=200.0, rate_held=100.0, drained_after_seconds=9.0, quiet_after_seconds=10.5, refused=3
    )
    text = report.overload(overloaded)

    assert "100/s, 200/s" in text
    assert "9.0 s" in text
    assert report.faults(overloaded) == {"refused": 3}
    assert "within 250 ms        yes, at" in text
    overloaded["webhook"] = _WEBHOOKS | {"latency_ms": _SPREAD | {"p50": 251.0}}
    assert "within 250 ms        NO, at" in report.overload(overloaded)


def test_fair_shows_how_much_of_the_flood_waited_during_the_trickle():
    assert "19000 → 12000" in report.fair(fair())


def test_flood_that_ended_before_the_trickle_is_a_fault():
    assert report.faults(measured(flood_ended_early=1)) == {"flood_ended_early": 1}
    assert "flood_ended_early 1" in report.fair(fair() | {"flood_ended_early": 1})


def test_latency_of_pictures_is_in_the_table_where_there_were_any():
    assert "of pictures" in report.table("media", measured(added_ms_of_pictures=_SPREAD))
    assert "of pictures" not in report.table("steady", measured())
