import pytest

from config.lib import local_secrets
from simulator import environment


class TestRead:
    def test_has_a_default_for_everything_but_the_secret(self):
        found = environment.read({"WEBHOOK_SECRET": "secret", "SIMULATOR_WEBHOOK_URL": " "})

        assert found.webhook_url == "http://127.0.0.1:3000/webhook/meta"
        assert found.journal_size == 50_000

    def test_reads_the_secret_that_the_service_created_in_its_data_folder(self, tmp_path):
        secret = local_secrets.get(tmp_path, "WEBHOOK_SECRET")

        found = environment.read({"WEBHOOK_SECRET": "", "DATA_DIR": str(tmp_path)})

        assert found.webhook_secret == secret

    def test_names_the_variable_and_the_file_when_there_is_no_secret(self, tmp_path):
        with pytest.raises(environment.InvalidEnvironmentError, match=rf"WEBHOOK_SECRET.*{tmp_path}"):
            environment.read({"DATA_DIR": str(tmp_path)})

    def test_signs_with_the_first_secret(self):
        assert environment.read({"WEBHOOK_SECRET": "new, old"}).webhook_secret == "new"

    @pytest.mark.parametrize("name", ["SIMULATOR_BEHAVIOUR", "SIMULATOR_JOURNAL_SIZE"])
    def test_names_the_variable_it_does_not_understand(self, name):
        with pytest.raises(environment.InvalidEnvironmentError, match=name):
            environment.read({"WEBHOOK_SECRET": "secret", name: "many"})
