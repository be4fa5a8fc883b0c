import json
import os
import time

import pytest

from tests.load import sampling, soak
from tests.load.sampling import Samples


def steps(values, every_seconds=60.0):
    samples = Samples()
    for place, mib in enumerate(values):
        samples.add(place * every_seconds, {"worker-1": mib})
    return samples


def test_growth_is_counted_by_the_hour_without_the_first_quarter():
    [growth] = steps([10, 90, *range(100, 106)]).growth().values()

    assert (growth.first_mib, growth.last_mib, growth.peak_mib) == (10, 105, 105)
    assert growth.mib_an_hour == 60


def test_process_of_a_steady_size_does_not_grow():
    [growth] = steps([100.0] * 20).growth().values()

    assert growth.mib_an_hour == 0
    assert growth.graph == "█" * 20


def test_single_sample_shows_no_growth():
    assert steps([100.0]).growth()["worker-1"].mib_an_hour == 0


def test_graph_shows_means_from_zero_to_the_maximum():
    assert sampling.graph([0, 0, 7, 7], width=2) == "▁█"


def test_table_begins_with_the_process_that_grows_fastest():
    samples = Samples()
    for place in range(8):
        samples.add(place * 60.0, {"steady": 100.0, "growing": 100.0 + place})

    lines = soak.table(samples).splitlines()

    assert lines[2].startswith("| growing | 100 | 107 | 107 | +60.0 |")
    assert lines[3].startswith("| steady | 100 | 100 | 100 | +0.0 |")


def test_process_is_sampled_at_the_beginning_and_as_long_as_the_block_runs():
    with sampling.sampled({"own": os.getpid()}, every_seconds=0.01) as samples:
        while len(samples.seconds) < 3:
            time.sleep(0.01)

    assert samples.seconds == sorted(samples.seconds)
    assert min(samples.mib["own"]) > 10


@pytest.mark.parametrize(
    ("seconds", "parts"), [(60, [60]), (300, [300]), (600, [300, 300]), (450, [225, 225])]
)
def test_time_is_divided_into_equal_parts_of_at_most_five_minutes(seconds, parts):
    assert soak.parts(seconds) == parts


@pytest.mark.long
def test_short_soak_answers_everything_and_knows_the_memory_of_each_process(tmp_path):
    assert soak.main(["--minutes", "0.1", "--rate", "10", "--json", str(tmp_path / "soak.json")]) == 0

    document = json.loads((tmp_path / "soak.json").read_text())
    assert [part["answered"] for part in document["parts"]] == [60]
    assert {"postgres", "valkey", "webhook", "worker-1", "sweeper"} <= document["growth"].keys()
    assert all(each["first_mib"] > 1 for each in document["growth"].values())
