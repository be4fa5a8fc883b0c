"""What makes the Postman collection run from its first request to its last: order, bodies, statuses."""

from typing import Any

# Folders in the order in which their requests can be run; what deletes comes last.
FOLDERS = [
    "Users",
    "API keys",
    "Credits",
    "Phone numbers",
    "Prompts",
    "Agents",
    "Conversations",
    "Messages",
    "Customers",
    "Leads",
    "Usage",
    "Webhook endpoints",
    "Health",
]
LAST = "At the end"
# What stands there beside that which deletes.
LATE = ["close_conversation", "download_media"]
# What comes after those, since nothing is left of the customer then, and before what is deleted.
ERASING = ["erase_customer", "get_erasure"]
# What comes first in its folder.
EARLY = ["extract_conversation"]
_PROMPT = {"name": "Bakery", "instructions": "You answer for {{business_name}}. Be short."}
# Bodies that name what was made before.
BODIES: dict[str, Any] = {
    "create_user": {"email": "{{$guid}}@example.com", "company_name": "Example Bakery"},
    # There is no phone number yet that the key could be limited to.
    "create_api_key": {"name": "Billing system", "scope": "read"},
    "create_phone_number": {
        "phone_number_id": "{{phoneNumberId}}",
        "type": "whatsapp",
        "external_number": "+12025550100",
        "access_token": "example-token",
    },
    "create_agent": {
        "name": "Bakery agent",
        "phone_number_id": "{{phoneNumberId}}",
        "prompt_id": "{{promptId}}",
        "fallback_message": "Sorry, something went wrong. We will come back to you.",
    },
    "update_agent": {"prompt_version": 1},
}
# What is answered where it is not what was hoped for: nothing failed, so there is nothing to retry, and only
# a web chat has a secret.
# A link is signed for a file of a message, and here nobody sent one.
STATUSES: dict[str, int] = {"retry_message": 409, "rotate_webchat_secret": 422, "download_media": 403}
BEFORE: dict[str, str] = {
    "create_phone_number": """
// Meta's ids are digits; each run takes a new number.
pm.collectionVariables.set("phoneNumberId", "1" + String(Date.now()).padStart(14, "0"));
""",
    "download_media": """
pm.collectionVariables.set("index", "0");
""",
}
AFTER: dict[str, str] = {
    # It takes a moment until it is read.
    "list_extractions": """
if (pm.response.code === 200 && body.data.length === 0 && Number(pm.variables.get("readings") || 0) < 100) {
  pm.variables.set("readings", Number(pm.variables.get("readings") || 0) + 1);
  setTimeout(() => {}, 200);
  pm.execution.setNextRequest(pm.info.requestId);
}
""",
    # The customer's message is taken up a moment after it arrived.
    "list_conversations": """
if (pm.response.code === 200 && body.data.length === 0 && Number(pm.variables.get("tries") || 0) < 100) {
  pm.variables.set("tries", Number(pm.variables.get("tries") || 0) + 1);
  setTimeout(() => {}, 200);
  pm.execution.setNextRequest(pm.info.requestId);
}
""",
}
# What begins a run: what an earlier one left is not meant.
FORGET = """
for (const variable of {names}) pm.collectionVariables.set(variable, "");
"""
CUSTOMER: dict[str, Any] = {
    "name": "Write as a customer (simulator only)",
    "request": {
        "method": "POST",
        "auth": {"type": "noauth"},
        "description": "The simulator posts a webhook, signed as Meta's are.",
        "header": [{"key": "Content-Type", "value": "application/json"}],
        "url": {"raw": "{{simulatorUrl}}/_simulator/deliver", "host": ["{{simulatorUrl}}"],
                "path": ["_simulator", "deliver"]},
        "body": {
            "mode": "raw",
            "raw": '{\n  "from": "+12025550143",\n  "name": "Ada",\n'
            '  "text": "I\'m Ada Lovelace, ada@example.com. Do you bake rye bread?",\n'
            '  "phone_number_id": "{{phoneNumberId}}"\n}',
            "options": {"raw": {"language": "json"}},
        },
    },
    "event": [
        {
            "listen": "test",
            "script": {
                "type": "text/javascript",
                "exec": ['pm.test("answers 200", () => pm.response.to.have.status(200));'],
            },
        }
    ],
    "response": [],
}  # fmt: skip
