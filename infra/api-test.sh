#!/usr/bin/env bash
# api-test.sh: holds the API of the one-machine run against its OpenAPI document, by calls that
# schemathesis makes up from it. It fails for an answer of 5xx, and for one that the document
# does not describe. SEED= repeats a run, EXAMPLES= is how many calls an operation gets beside
# those that its limits suggest.
set -euo pipefail
cd "$(dirname "$0")/.."

seed=${SEED:-$RANDOM}
. .local/env
scopes=upload,orders:read,orders:write,keys:read,settings,secrets,people
token=$(go run ./infra/local token NAME="$KEYPOOL_MERCHANT" SCOPES="$scopes" FOR='make api-test' DAYS=1 RATE=60000 | grep -oE "kp_${KEYPOOL_MERCHANT}_[A-Za-z0-9_-]+" | head -n 1)

# Revoking tokens would take away the one that the calls are made with. What schemathesis keeps
# of a run, to replay its failures, is kept in .local.
echo "schemathesis, seed $seed"
cd .local
SCHEMATHESIS_HOOKS=../infra/api_test_hooks.py exec schemathesis/bin/schemathesis run ../functions/api/openapi.json \
  --url "$KEYPOOL_URL" --tls-verify "$CURL_CA_BUNDLE" --header "Authorization: Bearer $token" --exclude-operation-id revoke-token \
  --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,response_headers_conformance,is_let_through,lists_are_answered \
  --phases examples,coverage,fuzzing --max-examples "${EXAMPLES:-20}" --seed "$seed" --workers 2 --continue-on-failure --warnings off --no-color
