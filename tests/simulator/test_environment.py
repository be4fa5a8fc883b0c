import pytest

from simulator import environment


class TestRead:
    def test_has_a_default_for_everything(self):
        found = environment.read({"WEBHOOK_SECRET": "", "SIMULATOR_WEBHOOK_URL": " "})

        assert found.webhook_url == "http://127.0.0.1:3000/webhook/meta"
        assert found.webhook_secret == "test-app-secret"
        assert found.journal_size == 50_000

    def test_signs_with_the_first_secret(self):
        assert environment.read({"WEBHOOK_SECRET": "new, old"}).webhook_secret == "new"

    @pytest.mark.parametrize("name", ["SIMULATOR_BEHAVIOUR", "SIMULATOR_JOURNAL_SIZE"])
    def test_names_the_variable_it_does_not_understand(self, name):
        with pytest.raises(environment.InvalidEnvironmentError, match=name):
            environment.read({name: "many"})
