#!/usr/bin/env bash
# Registers a WhatsApp number, looks at it, gives it a new access token, and deletes it again.
#
#   OPERATOR_KEY=mcak_… ./phone_number_setup.sh
#
# With numbers of your own: PHONE_NUMBER_ID (Meta's id), PHONE_NUMBER and ACCESS_TOKEN. Without them a number is
# made up, which only the simulator of `make run` takes. What else can be set is told in session.sh.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/session.sh"

number=${PHONE_NUMBER_ID:-$(new_number)}
token=${ACCESS_TOKEN:-example-token}

as_business POST "/users/$USER_ID/phone_numbers" '{
  "phone_number_id": "'"$number"'",
  "type": "whatsapp",
  "external_number": "'"${PHONE_NUMBER:-+12025550188}"'",
  "access_token": "'"$token"'",
  "display_name": "Examples"
}' >/dev/null
at_end as_business DELETE "/users/$USER_ID/phone_numbers/$number"
echo "Registered $number."

# Whoever registers it twice is told so.
if as_business POST "/users/$USER_ID/phone_numbers" \
  '{"phone_number_id": "'"$number"'", "type": "whatsapp", "access_token": "'"$token"'"}' 2>/dev/null; then
  echo "The number was registered twice: that must not be." >&2
  exit 1
fi
echo "It cannot be registered a second time."

# A new token; with "verify" Graph is asked whether it may read the number before it is kept.
as_business PATCH "/users/$USER_ID/phone_numbers/$number" \
  '{"access_token": "'"${NEW_ACCESS_TOKEN:-$token}"'", "verify": true, "display_name": "Examples, renewed"}' >/dev/null
echo "Its token was replaced."

echo "The numbers of the business:"
as_business GET "/users/$USER_ID/phone_numbers" | each phone_number_id type external_number display_name agent_id
