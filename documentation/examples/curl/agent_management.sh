#!/usr/bin/env bash
# Makes a prompt and an agent, puts the agent on a number, changes both, and deletes what it made.
#
#   OPERATOR_KEY=mcak_… ./agent_management.sh
#
# What else can be set is told in session.sh.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/session.sh"

prompt=$(as_business POST "/users/$USER_ID/prompts" '{
  "name": "Examples",
  "instructions": "You answer customers of {{business_name}}. Be short and friendly."
}' | field prompt_id)
echo "Wrote the prompt $prompt."

# An agent can be made before there is a number for it.
agent=$(as_business POST "/users/$USER_ID/agents" '{
  "name": "Examples",
  "prompt_id": "'"$prompt"'",
  "fallback_message": "Sorry, something went wrong. We will come back to you."
}' | field agent_id)
at_end as_business DELETE "/users/$USER_ID/agents/$agent"
echo "Made the agent $agent."

number=$(new_number)
as_business POST "/users/$USER_ID/phone_numbers" '{
  "phone_number_id": "'"$number"'", "type": "whatsapp", "external_number": "+12025550188", "access_token": "any"
}' >/dev/null
at_end as_business DELETE "/users/$USER_ID/phone_numbers/$number"
as_business PATCH "/users/$USER_ID/agents/$agent" '{"phone_number_id": "'"$number"'"}' >/dev/null
echo "It answers on $number."

# A new version of the prompt is spoken with at once, since the agent is not held on one.
as_business POST "/users/$USER_ID/prompts/$prompt/versions" '{
  "instructions": "You answer customers of {{business_name}}. Be short, friendly, and never promise a discount."
}' >/dev/null
echo "The prompt's current version is $(as_business GET "/users/$USER_ID/prompts/$prompt" | field current_version)."

# Hold the agent on the first version.
version=$(as_business PATCH "/users/$USER_ID/agents/$agent" '{"prompt_version": 1}' | field prompt_version)
echo "The agent is held on version $version."

echo "The agents of the business:"
as_business GET "/users/$USER_ID/agents" | each agent_id name phone_number_id prompt_version
