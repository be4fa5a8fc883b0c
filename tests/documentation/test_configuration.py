from tests.documentation import configuration


def documented():
    return {variable.name: variable for section in configuration.sections() for variable in section.variables}


class TestConfiguration:
    def test_example_names_every_variable_that_is_read_and_no_other(self):
        assert set(documented()) == configuration.read_by_the_code()

    def test_example_explains_every_variable(self):
        assert [name for name, variable in documented().items() if not variable.meaning] == []

    def test_page_says_what_the_example_says(self):
        assert configuration.PAGE.read_text() == configuration.page().rstrip() + "\n", (
            "run `make configuration`"
        )

    def test_secrets_are_shown_as_such_and_without_a_value(self):
        secrets = {name for name, variable in documented().items() if variable.type == "secret"}

        assert {"OPENAI_API_KEY", "WEBHOOK_SECRET", "DJANGO_SECRET_KEY", "DATABASE_URL"} <= secrets
        assert [name for name in secrets if documented()[name].default] == []
