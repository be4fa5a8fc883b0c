"""`manage.py import_prompt`: replaces a prompt of OpenAI's dashboard by one of this service."""

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from agents import dashboard_prompts
from agents.dashboard_prompts import NoAgentsError
from agents.prompt_checks import InvalidPromptError
from config.lib.commands import AuditedCommand


class Command(AuditedCommand):
    """Creates a prompt from a text, and gives it to all agents of the business that name the dashboard's."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the prompt, the business, the text and what else a version has."""
        parser.add_argument("prompt_id", help="the dashboard prompt, such as pmpt_…")
        parser.add_argument("file", nargs="?", default="-", help="its text; - or nothing = standard input")
        parser.add_argument("--user", required=True, metavar="USR_…", help="the business")
        parser.add_argument("--name", default="", help="the new prompt's name")
        parser.add_argument("--model", default="", help="its model; nothing = OPENAI_MODEL")
        parser.add_argument(
            "--variables",
            type=_variables,
            default={},
            metavar="JSON",
            help='the variables that the text uses: {"opening": {"type": "string", "default": "7 to 18"}}',
        )

    def handle(self, *_args: object, prompt_id: str, file: str, **options: Any) -> None:
        """Import the prompt, and print its id and the agents that have it now."""
        try:
            prompt, agent_ids = dashboard_prompts.replace(
                user_id=options["user"],
                prompt_id=prompt_id,
                instructions=_read(file),
                name=options["name"],
                model=options["model"],
                variables=options["variables"],
            )
        except NoAgentsError as error:
            raise CommandError(
                f"No agent of {options['user']} names the dashboard prompt {prompt_id}. "
                "`manage.py list_dashboard_prompts` lists those that name one."
            ) from error
        except InvalidPromptError as error:
            raise CommandError(f"The text cannot be a prompt: {error}") from error
        self.stdout.write(f"Created {prompt.pk} for {', '.join(agent_ids)}.")


def _read(file: str) -> str:
    try:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return raw.decode("utf-8-sig").strip()
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise CommandError("The text is not UTF-8.") from error


def _variables(text: str) -> dict[str, Any]:
    try:
        variables = json.loads(text)
    except (ValueError, RecursionError):
        variables = None
    if not isinstance(variables, dict):
        raise ArgumentTypeError("this must be a JSON object")
    return variables
