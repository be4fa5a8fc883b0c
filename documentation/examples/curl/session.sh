# What the examples beside this file begin with: whom they talk to, as whom, and how. Not run by itself.
#
#   BASE_URL       where the API is; `make run` serves it at http://127.0.0.1:8080
#   OPERATOR_KEY   an operator's key; `make run` prints one
#   USER_ID        the business to act for. Without it one called "Examples" is taken, and made if need be.
#   API_KEY        a key of that business. Without it one is made and revoked at the end.
# shellcheck shell=bash

BASE_URL=${BASE_URL:-http://127.0.0.1:8080}
: "${OPERATOR_KEY:?is missing: set it to the operator key that make run printed}"

# request KEY METHOD PATH [BODY [HEADER]]: print the answer. An error goes to stderr and ends the script.
request() {
  local answer
  if ! answer=$(curl -sS --fail-with-body --retry 3 -X "$2" "$BASE_URL$3" -H "x-api-key: $1" \
    ${4:+-H "content-type: application/json" -d "$4"} ${5:+-H "$5"}); then
    printf '%s %s was refused: %s\n' "$2" "$3" "$answer" >&2
    return 1
  fi
  printf '%s' "$answer"
}
as_operator() { request "$OPERATOR_KEY" "$@"; }
as_business() { request "$API_KEY" "$@"; }

# field NAME...: print one value of the JSON at stdin; a number counts into a list.
field() {
  python3 -c '
import json, sys
value = json.load(sys.stdin)
for name in sys.argv[1:]:
    value = value[int(name) if isinstance(value, list) else name]
print("" if value is None else value)' "$@"
}

# each NAME...: print these values of each entry of a list, a line for each.
each() {
  python3 -c '
import json, sys
for entry in json.load(sys.stdin)["data"]:
    print("  " + "  ".join(str(entry[name]) for name in sys.argv[1:]))' "$@"
}

# A number that Meta has given to nobody, for examples that register one.
new_number() { printf '1%014d' $((($(date +%s) * 100000 + RANDOM) % 100000000000000)); }

# What is undone at the end, the last thing first, however the script ends.
UNDO=()
at_end() { UNDO=("$*" "${UNDO[@]}"); }
undo() {
  local status=$? command
  for command in "${UNDO[@]}"; do eval "$command" >/dev/null || status=1; done
  exit "$status"
}
trap undo EXIT

if [ -z "${USER_ID:-}" ]; then
  found=$(as_operator GET "/users?email=examples@example.com")
  if [ "$(printf '%s' "$found" | python3 -c 'import json, sys; print(len(json.load(sys.stdin)["data"]))')" = 0 ]; then
    USER_ID=$(as_operator POST /users '{"email": "examples@example.com", "company_name": "Examples"}' | field user_id)
  else
    USER_ID=$(printf '%s' "$found" | field data 0 user_id)
  fi
fi
if [ -z "${API_KEY:-}" ]; then
  made=$(as_operator POST "/users/$USER_ID/api_keys" '{"name": "examples"}')
  API_KEY=$(printf '%s' "$made" | field key)
  at_end as_operator DELETE "/users/$USER_ID/api_keys/$(printf '%s' "$made" | field prefix)"
fi
