#!/usr/bin/env bash
# Has a customer write, reads what was said, answers as a person, and lets the AI go on.
#
#   OPERATOR_KEY=mcak_… ./message_retrieval.sh
#
# SIMULATOR_URL is where `make run` has the simulator, which writes as the customer: http://127.0.0.1:9090. What
# else can be set is told in session.sh.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/session.sh"
SIMULATOR_URL=${SIMULATOR_URL:-http://127.0.0.1:9090}

# A number with an agent, and a credit for its reply.
number=$(new_number)
as_business POST "/users/$USER_ID/phone_numbers" '{
  "phone_number_id": "'"$number"'", "type": "whatsapp", "external_number": "+12025550188", "access_token": "any"
}' >/dev/null
at_end as_business DELETE "/users/$USER_ID/phone_numbers/$number"
prompt=$(as_business POST "/users/$USER_ID/prompts" \
  '{"name": "Examples", "instructions": "You answer customers of a bakery."}' | field prompt_id)
agent=$(as_business POST "/users/$USER_ID/agents" \
  '{"name": "Examples", "phone_number_id": "'"$number"'", "prompt_id": "'"$prompt"'"}' | field agent_id)
at_end as_business DELETE "/users/$USER_ID/agents/$agent"
as_operator POST "/users/$USER_ID/credits" '{"kind": "grant", "amount": 1, "reason": "an example"}' \
  "Idempotency-Key: $number" >/dev/null

curl -sS --fail-with-body "$SIMULATOR_URL/_simulator/deliver" -d '{
  "from": "+12025550143", "name": "Ada", "text": "Do you bake rye bread?", "phone_number_id": "'"$number"'"
}' >/dev/null
echo "The customer wrote."

# count PATH: how many entries a list has.
count() { as_business GET "$1" | python3 -c 'import json, sys; print(len(json.load(sys.stdin)["data"]))'; }
# until_there PATH: wait for a list to have an entry. The agent waits a moment in case the customer writes on.
until_there() {
  for _ in $(seq 150); do
    if [ "$(count "$1")" != 0 ]; then return; fi
    sleep 0.2
  done
  echo "Nothing came: GET $1" >&2
  return 1
}
until_there "/users/$USER_ID/messages?phone_number_id=$number&author=ai&status=read"

conversation=$(as_business GET "/users/$USER_ID/conversations?phone_number_id=$number" | field data 0 conversation_id)
echo "What was said in $conversation:"
messages="/users/$USER_ID/messages?conversation_id=$conversation&order=oldest"
as_business GET "$messages" | each sequence_no author status text

# A page at a time: next_cursor leads to the next, and is empty after the last.
cursor=
for page in 1 2; do
  answer=$(as_business GET "$messages&limit=1${cursor:+&cursor=$cursor}")
  cursor=$(printf '%s' "$answer" | field next_cursor)
  echo "Page $page has $(printf '%s' "$answer" | field data 0 message_id)."
done

# A person answers; the key keeps it from being sent twice.
as_business POST "/users/$USER_ID/conversations/$conversation/messages" '{"text": "Fresh from seven on. — Ben"}' \
  "Idempotency-Key: $number-ben" >/dev/null
until_there "/users/$USER_ID/messages?conversation_id=$conversation&author=staff&status=read"
echo "A person answered, and the AI is silent until $(
  as_business GET "/users/$USER_ID/conversations/$conversation" | field paused_until
)."
as_business POST "/users/$USER_ID/conversations/$conversation/resume" '{}' >/dev/null
echo "The AI answers again."

echo "What failed and may be retried: $(count "/users/$USER_ID/messages?phone_number_id=$number&status=failed")."
