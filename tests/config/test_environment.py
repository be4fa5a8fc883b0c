"""A value that cannot be read names its variable, all such values at once and without a traceback."""

import pytest

from config.environment import Environment


def environment(**values: str) -> Environment:
    found = Environment()
    found.ENVIRON = values
    return found


class TestEnvironment:
    @pytest.mark.parametrize("value", ["abc", "1.5", "8 shards"])
    def test_a_bad_number_names_its_variable_and_leaves_the_default(self, value):
        env = environment(SHARDS=value)

        assert env.int("SHARDS", default=8) == 8
        assert env.faults == [f"SHARDS must be a whole number, not {value!r}."]

    @pytest.mark.parametrize(
        ("value", "expected"),
        [("true", True), ("On", True), ("1", True), ("false", False), ("NO", False), ("0", False)],
    )
    def test_reads_the_usual_words_for_true_and_false(self, value, expected):
        env = environment(SWITCH=value)

        assert env.bool("SWITCH", default=not expected) is expected
        assert env.faults == []

    def test_does_not_take_another_word_for_false(self):
        env = environment(SWITCH="ture")

        assert env.bool("SWITCH", default=True) is True
        assert env.faults == ["SWITCH must be true or false, not 'ture'."]

    def test_does_not_show_json_or_urls_which_may_hold_passwords(self):
        env = environment(OPTIONS='{"password": "s3cret"', MAIL="foo://user:s3cret@host")

        env.json("OPTIONS", default={})
        env.email_url("MAIL", default="dummymail://")
        env.database("DATABASE_URL", "mysql://user:s3cret@host/name")

        assert [fault.split()[0] for fault in env.faults] == ["OPTIONS", "MAIL", "DATABASE_URL"]
        assert "s3cret" not in str(env.faults)


class TestCommand:
    def test_lists_all_bad_variables_at_once_without_a_traceback(self, run_python):
        ended = run_python(
            "manage.py",
            "sweep",
            APP_ENV="test",
            MESSAGE_QUEUE_SHARDS="abc",
            TURN_LEASE="1s",
            DJANGO_DEBUG="ja",
        )

        assert ended.returncode == 1
        assert "MESSAGE_QUEUE_SHARDS must be a whole number, not 'abc'." in ended.stderr
        assert "TURN_LEASE must be a whole number, not '1s'." in ended.stderr
        assert "DJANGO_DEBUG must be true or false, not 'ja'." in ended.stderr
        assert "Traceback" not in ended.stderr

    def test_a_worker_does_not_start_with_a_bad_number(self, run_python):
        ended = run_python("-m", "celery", "-A", "config", "worker", APP_ENV="test", TURN_LEASE="1s")

        assert ended.returncode != 0
        assert "TURN_LEASE must be a whole number" in ended.stderr
