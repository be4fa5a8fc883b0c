"""What to open and what to try once everything runs."""

from config.embedded import external, paths
from config.embedded.choices import Choices
from config.lib import local_secrets


def welcome(choices: Choices, demo: dict[str, str]) -> str:
    """Return the table of addresses and the one command to try next."""
    api = f"http://127.0.0.1:{choices.ports['API_PORT']}"
    webhook = f"http://127.0.0.1:{choices.ports['WEBHOOK_PORT']}"
    simulator = f"http://127.0.0.1:{choices.ports['SIMULATOR_PORT']}"
    database = external.masked(choices.database_url or paths.postgres_url(choices.data_dir))
    rows = {
        "Try it": f"{api}/demo   (a shop with the web chat on it)" if demo else "",
        "API": f"{api}   (documentation: /schema)",
        "Admin": f"{api}/admin/   (sign in as {demo['staff_login']})" if demo.get("staff_login") else "",
        "Webhook": webhook + choices.webhook_path,
        "Phone": f"{simulator}/phone   (write as a customer, and watch)" if choices.simulated else "",
        "Simulator": simulator if choices.simulated else "",
        "Database": f"make psql   ({database})",
        "Logs": str(choices.logs),
        "Demo API key": demo.get("api_key", ""),
        "Operator key": demo.get("operator_key", ""),
        "Secrets": f"{choices.data_dir / local_secrets.FOLDER}   (these keys and others, one per file)"
        if demo
        else "",
        "Demo number": demo.get("display_phone_number", ""),
        "Or": '.venv/bin/python manage.py simulate_customer "Hello"' if choices.simulated and demo else "",
    }
    table = "\n".join(f"  {name:<14}{value}" for name, value in rows.items() if value)
    return f"\nEverything runs. Ctrl-C stops it.\n\n{table}\n"
