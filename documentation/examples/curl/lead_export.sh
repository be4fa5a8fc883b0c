#!/usr/bin/env bash
# Has a customer say who they are, reads the conversation for its lead, corrects it, and exports all leads.
#
#   OPERATOR_KEY=mcak_… ./lead_export.sh
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
  "from": "+12025550143", "name": "Ada", "phone_number_id": "'"$number"'",
  "text": "Hello, I'"'"'m Ada Lovelace. Please write to ada@example.com"
}' >/dev/null
conversations="/users/$USER_ID/conversations?phone_number_id=$number"
for _ in $(seq 150); do
  conversation=$(as_business GET "$conversations" | field data 0 conversation_id 2>/dev/null) && break
  sleep 0.2
done
echo "The customer wrote in $conversation."

# It would be read by itself once it is quiet; this does not wait for that.
reading=$(as_business POST "/users/$USER_ID/conversations/$conversation/extract" '{}' | field extraction_id)
for _ in $(seq 150); do
  status=$(as_business GET "/users/$USER_ID/extractions/$reading" | field status)
  case $status in waiting | running) sleep 0.2 ;; *) break ;; esac
done
echo "It was read: $status."
as_business GET "/users/$USER_ID/extractions?conversation_id=$conversation" | each name email

# What a person sets stays, whatever is read later.
as_business PATCH "/users/$USER_ID/extractions/$reading" '{"company": "Example Engines", "budget": 3}' >/dev/null
echo "Corrected: $(as_business GET "/users/$USER_ID/extractions/$reading" | field company)."

# All of them, for a spreadsheet; the filters are those of the list.
file=$(mktemp)
at_end rm "$file"
as_business GET "/users/$USER_ID/extractions/export?has_email=true&phone_number_id=$number" >"$file"
echo "Exported:"
python3 -c '
import csv, sys
for row in csv.DictReader(open(sys.argv[1], encoding="utf-8", newline="")):
    print("  " + "  ".join(row[name] for name in ("name", "email", "company", "budget")))' "$file"
