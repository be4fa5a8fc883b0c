"""The Postman collection is current, and runs from its first request to its last."""

import json

import pytest

from tests.api.document import operations
from tests.documentation import node, postman

pytestmark = pytest.mark.long


class TestCollection:
    def test_is_that_of_the_api(self):
        assert postman.COLLECTION.read_text() == postman.collection(), "run `make reference`"

    def test_has_each_operation_but_metas(self):
        folders = json.loads(postman.COLLECTION.read_text())["item"]

        names = {item["name"] for folder in folders for item in folder["item"]}

        told = {operation.told["summary"] for operation in operations() if operation.is_called_by_programs}
        assert names == told | {postman.CUSTOMER["name"]}

    def test_runs_from_the_first_request_to_the_last(self, live, tmp_path):
        report = tmp_path / "report.json"

        ended = node.run(
            *("newman", "run", postman.COLLECTION, "--env-var", f"baseUrl={live.api}"),
            *("--env-var", f"simulatorUrl={live.simulator}", "--env-var", f"apiKey={live.operator_key}"),
            *("--reporters", "cli,json", "--reporter-json-export", report, "--color", "off"),
        )

        assert ended.returncode == 0, ended.stdout
        ran = json.loads(report.read_text())["run"]["executions"]
        assert {execution["item"]["name"] for execution in ran} >= {
            operation.told["summary"] for operation in operations() if operation.is_called_by_programs
        }
        assert max(execution["response"]["code"] for execution in ran) < 500
