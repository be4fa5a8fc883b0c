import json

from simulator.journal import Journal, Wanted, masked


def filled(size: int = 10, file: str = "") -> Journal:
    journal = Journal(size, file)
    for number, api in enumerate(["openai", "graph", "openai"]):
        entry = journal.note(
            api, "POST", f"/{api}/x", json.dumps({"n": number, "t": "Luc\u00eda"}).encode(), {}
        )
        journal.finish(entry, 200)
    return journal


class TestJournal:
    def test_filters(self):
        journal = filled()

        assert [entry.seq for entry in journal.page(Wanted(api="openai"), 10)] == [1, 3]
        assert [entry.seq for entry in journal.page(Wanted(path="graph"), 10)] == [2]
        assert [entry.seq for entry in journal.page(Wanted(contains="Luc\u00eda"), 10)] == [1, 2, 3]
        assert [entry.seq for entry in journal.page(Wanted(since_seq=1), 1)] == [2]
        assert [entry.seq for entry in journal.page(Wanted(), 1)] == [3]

    def test_forgets_the_oldest_but_never_a_number(self):
        journal = filled(size=2)

        assert [entry.seq for entry in journal.page(Wanted(), 10)] == [2, 3]
        assert journal.clear() == 2
        assert journal.last_seq == 3

    def test_appends_finished_requests_to_a_file(self, tmp_path):
        path = tmp_path / "journal.jsonl"

        filled(file=str(path))

        lines = [json.loads(line) for line in path.read_text().splitlines()]
        assert [line["seq"] for line in lines] == [1, 2, 3]
        assert lines[0]["body"] == {"n": 0, "t": "Luc\u00eda"}

    def test_hides_tokens(self):
        assert masked("Bearer sk-0123456789abcdef") == "Bearer …cdef"
        assert masked("Bearer short") == "Bearer …"
