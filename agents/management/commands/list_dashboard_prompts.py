"""`manage.py list_dashboard_prompts`: lists the agents that name a prompt of OpenAI's dashboard."""

import json

from django.core.management.base import BaseCommand

from agents import dashboard_prompts


class Command(BaseCommand):
    """Prints one JSON object a line; OpenAI has ended its dashboard prompts, so these agents need another."""

    help = __doc__

    def handle(self, *_args: object, **_options: object) -> None:
        """Print the agents by business and prompt, and their number to stderr."""
        agents = dashboard_prompts.agents().select_related("user").order_by("user_id", "prompt_id", "pk")
        for agent in agents:
            line = {
                "user_id": agent.user_id,
                "company_name": agent.user.company_name,
                "prompt_id": agent.prompt_id,
                "agent_id": agent.pk,
                "agent_name": agent.name,
                "phone_number_id": agent.phone_number_id,
            }
            self.stdout.write(json.dumps(line, ensure_ascii=False))
        self.stderr.write(f"{len(agents)} agents name a prompt of OpenAI's dashboard.")
