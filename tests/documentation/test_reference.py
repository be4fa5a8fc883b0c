"""Each operation has its page, and what was made of the OpenAPI document is current."""

from collections import Counter

import pytest

from tests.api.document import operations
from tests.documentation import reference, samples, typescript
from tests.rig import PROJECT

PAGES = reference.pages()
DESIGNED = [
    "agents/create_agent.md",
    "agents/list_agents.md",
    "agents/get_agent.md",
    "agents/update_agent.md",
    "agents/delete_agent.md",
    "users/create_user.md",
    "users/list_phone_numbers.md",
    "users/add_phone_number.md",
    "users/delete_phone_number.md",
    "users/user_credits.md",
    "messages/get_messages.md",
    "messages/conversation_id_handling.md",
    "prompts/linking_prompt.md",
    "examples/curl/agent_management.sh",
    "examples/curl/phone_number_setup.sh",
    "examples/curl/message_retrieval.sh",
    "examples/curl/credit_management.sh",
    "examples/typescript/agent_client.ts",
    "examples/typescript/message_client.ts",
    "examples/typescript/types.ts",
    "README.md",
]


class TestPages:
    def test_that_were_designed_are_there(self):
        missing = [name for name in DESIGNED if not (reference.DOCUMENTATION / name).exists()]

        assert missing == []

    def test_have_each_operation_once(self):
        told = Counter(name for text in PAGES.values() for name in reference.BLOCK.findall(text))

        assert dict(told) == dict.fromkeys((operation.operation_id for operation in operations()), 1)

    @pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
    def test_say_what_the_api_does(self, page):
        assert page.read_text() == PAGES[page], "run `make reference`"

    @pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
    def test_say_what_the_tables_do_not(self, page):
        assert "\n## Notes\n" in page.read_text()

    @pytest.mark.parametrize("operation", operations(), ids=lambda operation: operation.operation_id)
    def test_explain_each_parameter(self, operation):
        (text,) = [text for text in PAGES.values() if f"<!-- reference: {operation.operation_id} -->" in text]
        block = text.partition(f"<!-- reference: {operation.operation_id} -->")[2].partition(
            "<!-- /reference"
        )[0]
        asked = block.partition("Request\n")[2].partition("Response\n")[0]

        unexplained = [
            line for line in asked.splitlines() if line.startswith("| `") and line.endswith("|  |")
        ]

        assert unexplained == []


class TestTypes:
    def test_are_those_of_the_api(self):
        assert typescript.TYPES.read_text() == typescript.types(), "run `make reference`"


class TestSamples:
    def test_in_typescript_fit_the_types(self, tmp_path):
        complaints = typescript.compile_to(tmp_path, samples=_script())

        assert complaints == ""


def _script() -> str:
    """Give all samples of the pages as one script, each in a function of its own."""
    shown = [one for one in operations() if one.is_called_by_programs and not one.is_public]
    names = sorted({samples.camel(name) for operation in shown for name in operation.names})
    given = "\n".join(f"declare const {name}: string;" for name in names)
    functions = "\n".join(_function(operation) for operation in shown)
    apis = "declare const api: Api, operatorApi: Api;"
    return f'import {{ Api }} from "./http.js";\n{apis}\n{given}\n{functions}\n'


def _function(operation) -> str:
    call = samples.typescript(operation)
    return f"export async function {operation.operation_id}() {{\n{call}\nreturn {_used(operation)};\n}}"


def _used(operation) -> str:
    text = samples.typescript(operation)
    return text.partition(" = ")[0].removeprefix("const ") if text.startswith("const ") else "undefined"
