#!/usr/bin/env bash
# Sample client of the agencies' interface: bash, curl, openssl (SM3 where openssl has it, else SHA-256).
#
#   export AGENCY_URL=https://front.example AGENCY_KEY=… AGENCY_SECRET=…      (secret in hex, as given)
#   agency.sh list [updated_since] | read NUMBER | acknowledge NUMBER | answer NUMBER CODE TEXT [FILE …]
#   agency.sh feeds | push FEED FILE | delivery ID
#
# Exit code 0 only when it was done.
set -euo pipefail

if printf '' | openssl dgst -sm3 >/dev/null 2>&1; then ALGORITHM=HMAC-SM3 DIGEST=sm3; else ALGORITHM=HMAC-SHA256 DIGEST=sha256; fi
HEAD=$(mktemp) BODY=$(mktemp)
trap 'rm -f "$HEAD" "$BODY"' EXIT

percent() { # UTF-8, upper-case hex
  local LC_ALL=C text=$1 i c
  for ((i = 0; i < ${#text}; i++)); do
    c=${text:i:1}
    case $c in [a-zA-Z0-9.~_-]) printf '%s' "$c" ;; *) printf '%%%02X' "'$c" | sed 's/%FFFFFFFFFFFFFF/%/' ;; esac
  done
}

quoted() { # a text as JSON
  local text=$1
  text=${text//\\/\\\\} text=${text//\"/\\\"} text=${text//$'\n'/\\n} text=${text//$'\t'/\\t} text=${text//$'\r'/}
  printf '"%s"' "$text"
}

ask() { # METHOD PATH BODY-FILE [HEADER …]; the answer's body on stdout
  local method=$1 path=$2 body=$3 stamp nonce digest signature status
  shift 3
  stamp=$(($(date +%s%N) / 1000000)) nonce=$(openssl rand -hex 12)
  digest=$(openssl dgst -sha256 -r "$body" | cut -d' ' -f1)
  signature=$(printf '%s\n%s\n%s\n%s\n%s' "$method" "$path" "$digest" "$stamp" "$nonce" |
    openssl dgst "-$DIGEST" -mac HMAC -macopt "hexkey:$AGENCY_SECRET" -r | cut -d' ' -f1)
  local args=(-sS -X "$method" -o "$BODY" -D "$HEAD" -w '%{http_code}' --max-time 60
    -H "X-App-Key: $AGENCY_KEY" -H "X-Timestamp: $stamp" -H "X-Nonce: $nonce" -H "X-Content-SHA256: $digest"
    -H "X-Signature-Alg: $ALGORITHM" -H "X-Signature: $signature")
  for header in "$@"; do args+=(-H "$header"); done
  if [ "$method" = POST ]; then args+=(--data-binary "@$body"); fi
  status=$(curl "${args[@]}" "$AGENCY_URL$path")
  if [ "$status" -ge 300 ]; then
    printf '%s ' "$status" >&2
    cat "$BODY" >&2
    return 1
  fi
  cat "$BODY"
}

etag() { ask GET "/api/v1/received/$(percent "$1")" /dev/null >/dev/null && sed -n 's/^[Ee][Tt][Aa][Gg]: *\(.*\)\r$/\1/p' "$HEAD"; }

post_json() { # NUMBER VERB JSON
  local said tag
  said=$(mktemp) tag=$(etag "$1")
  printf '%s' "$3" >"$said"
  ask POST "/api/v1/received/$(percent "$1")/$2" "$said" "Content-Type: application/json" "If-Match: $tag" \
    "Idempotency-Key: $(openssl rand -hex 16)"
  rm -f "$said"
}

hand_in() { # PATH FILE
  ask POST "$1" "$2" "Content-Type: application/octet-stream" "X-File-Name: $(percent "$(basename "$2")")" \
    "Idempotency-Key: $(openssl rand -hex 16)"
}

verb=${1:-help}
shift || true
case $verb in
  list) ask GET "/api/v1/received${1:+?updated_since=$(percent "$1")}" /dev/null ;;
  read) ask GET "/api/v1/received/$(percent "$1")" /dev/null ;;
  acknowledge) post_json "$1" acknowledge '{}' ;;
  answer)
    number=$1 code=$2 text=$3 files=
    shift 3
    for file in "$@"; do
      handed=$(hand_in "/api/v1/received/$(percent "$number")/files" "$file")
      files+="${files:+,}\"$(printf '%s' "$handed" | sed -n 's/.*"id":"\([^"]*\)".*/\1/p')\""
    done
    post_json "$number" answer "{\"answer\":$(quoted "$code"),\"text\":$(quoted "$text"),\"files\":[$files]}"
    ;;
  feeds) ask GET /api/v1/feeds /dev/null ;;
  push) hand_in "/api/v1/feeds/$1/files" "$2" ;;
  delivery) ask GET "/api/v1/deliveries/$1" /dev/null ;;
  *) sed -n '2,9s/^# \{0,1\}//p' "$0" && exit 2 ;;
esac
