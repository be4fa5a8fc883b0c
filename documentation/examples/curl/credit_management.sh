#!/usr/bin/env bash
# Grants a business credits, once however often it is asked for, reads balance and ledger, and takes them back.
#
#   OPERATOR_KEY=mcak_… ./credit_management.sh
#
# What else can be set is told in session.sh.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/session.sh"

balance() { as_business GET "/users/$USER_ID/credits?limit=1" | field remaining_credits; }

before=$(balance)
echo "The business has $before credits."

# The key names the grant: use what names the payment, such as the invoice's number.
invoice="invoice-$(date +%s)-$RANDOM"
grant='{"kind": "grant", "amount": 100, "reason": "'$invoice'"}'
as_operator POST "/users/$USER_ID/credits" "$grant" "Idempotency-Key: $invoice" >/dev/null
# At the end: an adjustment takes them back. Lines of the ledger are never removed.
back='{"kind": "adjustment", "amount": -100, "reason": "'$invoice' taken back"}'
at_end as_operator POST "/users/$USER_ID/credits" "'$back'" "'Idempotency-Key: $invoice-back'"
echo "Granted 100: it has $(balance)."

as_operator POST "/users/$USER_ID/credits" "$grant" "Idempotency-Key: $invoice" >/dev/null
echo "Sent again with the same Idempotency-Key: it still has $(balance)."

if as_business POST "/users/$USER_ID/credits" "$grant" "Idempotency-Key: $invoice-own" 2>/dev/null; then
  echo "A business gave itself credits: that must not be." >&2
  exit 1
fi
echo "A business cannot grant itself any."

echo "The newest lines of the ledger:"
as_business GET "/users/$USER_ID/credits?limit=5" | each created_at kind amount balance_after reason
