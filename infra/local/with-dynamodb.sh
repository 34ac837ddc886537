#!/usr/bin/env bash
# with-dynamodb.sh COMMAND ...: runs the command with DynamoDB Local behind
# DYNAMODB_ENDPOINT, on a free loopback port, and stops it afterwards.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
home=$here/../../.local/dynamodb
mkdir -p "$home"
home=$(cd "$home" && pwd)

if ! cmp -s "$here/dynamodb-local.xml" "$home/pom.xml"; then
  echo "fetching DynamoDB Local, once, half a minute" >&2
  rm -rf "$home/lib"
  mvn -q -B -Dstyle.color=never -f "$here/dynamodb-local.xml" dependency:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$home/lib" >&2 ||
    { echo "DynamoDB Local could not be fetched: check that Maven Central can be reached, then try again." >&2; exit 1; }
  cp "$here/dynamodb-local.xml" "$home/pom.xml"
fi

# The same port each time, if it is free and no other run has it: Go remembers a
# test's result only while the environment that the test read stays the same.
# Below 32768, where no outgoing connection takes it.
free='
import random, socket, sys
for port in sys.argv[1:] or random.sample(range(18000, 28000), 100):
    try:
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("127.0.0.1", int(port)))
    except OSError:
        continue
    print(port)
    break
'
exec 9>"$home/port.lock"
port=
if flock -n 9; then
  if [ -s "$home/port" ]; then port=$(python3 -c "$free" "$(cat "$home/port")"); fi
  if [ -z "$port" ]; then python3 -c "$free" >"$home/port"; port=$(cat "$home/port"); fi
else
  port=$(python3 -c "$free")
fi

cd "$home"
java -Xmx1g -Djava.library.path=lib -cp 'lib/*' com.amazonaws.services.dynamodbv2.local.main.ServerRunner \
  -inMemory -sharedDb -port "$port" -disableTelemetry >"$home/engine.log" 2>&1 9>&- &
engine=$!
trap 'kill $engine 2>/dev/null || true; wait $engine 2>/dev/null || true' EXIT
cd "$OLDPWD"
for _ in $(seq 100); do
  kill -0 $engine 2>/dev/null || { echo "DynamoDB Local ended at its start; see $home/engine.log" >&2; exit 1; }
  python3 -c "import socket; socket.create_connection(('127.0.0.1', $port), 1)" 2>/dev/null && break
  sleep 0.1
done
DYNAMODB_ENDPOINT=http://127.0.0.1:$port "$@" 9>&-
