import pytest

from simulator.behaviour import Behaviour, InvalidBehaviourError


class TestMerge:
    def test_keeps_what_an_update_does_not_name(self):
        first = Behaviour({"openai": {"latency": 3, "errors": {"500": 0.1}}})

        second = Behaviour({"openai": {"errors": {"429": 0.2}}, "statuses": False}, first)

        assert second.as_document()["openai"]["latency"] == 3
        assert second.as_document()["openai"]["errors"] == {"429": 0.2}
        assert second.statuses is False
        assert second.status_delays == [0.2, 0.5, 1.0]

    def test_keeps_the_rest_of_a_script(self):
        first = Behaviour({"openai": {"script": [{"text": "one"}, {"text": "two"}]}})
        first.openai.plan(scripted=True)

        second = Behaviour({"graph": {"latency": 1}}, first)

        assert second.as_document()["openai"]["script"] == [{"text": "two"}]

    @pytest.mark.parametrize(
        "update",
        [
            {"opnai": {}},
            {"openai": {"latencies": 1}},
            {"openai": 1},
            {"openai": {"latency": -1}},
            {"openai": {"latency": {"median": 1}}},
            {"openai": {"latency": "fast"}},
            {"openai": {"errors": {"oops": 0.1}}},
            {"openai": {"errors": {"131056": 0.1}}},
            {"openai": {"errors": {"500": 0.8, "429": 0.3}}},
            {"openai": {"drop": True}},
            {"openai": {"script": [{"txt": "x"}]}},
            {"openai": {"script": [{"code": "insufficient_quota"}]}},
            {"openai": {"script": [{"response_status": "done"}]}},
            {"openai": {"script": [{"tool_call": {}}]}},
            {"openai": {"script": "x"}},
            {"openai": {"always": {"txt": "x"}}},
            {"openai": {"always": "x"}},
            {"batch_seconds": -1},
            {"shuffle_seconds": "long"},
            {"statuses": "no"},
            {"status_delays": [1]},
            {"seed": "x"},
        ],
    )
    def test_refuses_nonsense(self, update):
        with pytest.raises(InvalidBehaviourError):
            Behaviour(update)


class TestPlan:
    def test_is_the_same_for_the_same_seed(self):
        document = {"seed": 42, "openai": {"latency": {"median": 1, "sigma": 0.3}, "errors": {"500": 0.3}}}
        one, other = Behaviour(document), Behaviour(document)

        assert [one.openai.plan() for _ in range(50)] == [other.openai.plan() for _ in range(50)]

    def test_hits_the_shares(self):
        profile = Behaviour({"seed": 1, "graph": {"errors": {"131056": 0.2}, "drop": 0.1}}).graph

        plans = [profile.plan() for _ in range(5000)]

        assert sum(plan.error == "131056" for plan in plans) / 5000 == pytest.approx(0.2, abs=0.03)
        assert sum(plan.drop for plan in plans) / 5000 == pytest.approx(0.1, abs=0.03)

    def test_never_waits_less_than_nothing(self):
        profile = Behaviour({"seed": 1, "openai": {"latency": {"mean": 0.1, "spread": 1}}}).openai

        assert min(profile.plan().delay for _ in range(200)) == 0

    def test_gives_a_step_to_the_request_it_matches(self):
        profile = Behaviour(
            {"openai": {"script": [{"match": "Luc\u00eda", "text": "a"}, {"text": "b"}]}}
        ).openai

        assert profile.plan(b'{"input":"Bob"}', scripted=True).step["text"] == "b"
        assert profile.plan(b'{"input":"Bob"}', scripted=True).step == {}
        assert profile.plan(b'{"input":"Luc\\u00eda"}', scripted=True).step["text"] == "a"

    def test_does_always_what_no_step_of_the_script_says(self):
        profile = Behaviour({"openai": {"script": [{"text": "a"}], "always": {"text": "b"}}}).openai

        texts = [profile.plan(scripted=True).step["text"] for _ in range(3)]

        assert texts == ["a", "b", "b"]
        assert profile.plan().step == {}
