#!/usr/bin/env bash
# prerequisites.sh TOOL ...: says in one line for each tool what is missing or too
# old, and how to get it; silent and content otherwise. Of little room on the disk it
# only warns: what was fetched and built before needs no more.
set -u

missing=0
# need COMMAND VERSION HOW-TO-ASK WHERE-FROM
need() {
  local have
  if ! command -v "$1" >/dev/null 2>&1; then
    echo "$1 is missing: install $4 ($2 or later)" >&2
    missing=1
    return
  fi
  have=$($3 2>&1 | grep -oE '[0-9]+(\.[0-9]+)+' | head -n 1)
  if [ "$(printf '%s\n' "$2" "$have" | sort -V | head -n 1)" != "$2" ]; then
    echo "$1 ${have:-of an unknown version} is too old: install $4 ($2 or later)" >&2
    missing=1
  fi
}

# room DIRECTORY: warns if its disk has less room than make test takes from scratch.
room() {
  local free
  free=$(df -Pm "$1" | awk 'NR == 2 { print $4 }')
  if [ "$free" -lt 5000 ]; then
    echo "only $free MB are free on the disk of $1: what is fetched and built the first time takes 5,000" >&2
  fi
}

room .
[ "$(stat -c %d .)" = "$(stat -c %d "$HOME")" ] || room "$HOME"
for tool in "$@"; do
  case $tool in
    go) need go "$(sed -n "s/^toolchain go//p" "$(dirname "$0")/../go.mod")" 'go version' 'Go from https://go.dev/dl' ;;
    node) need node 20.0 'node --version' 'Node.js from https://nodejs.org' ;;
    npm) need npm 9.0 'npm --version' 'npm, which comes with Node.js' ;;
    python) need python3 3.11 'python3 --version' 'Python, apt install python3 python3-venv' ;;
    java) need java 17.0 'java -version' 'a Java runtime, apt install openjdk-17-jre-headless' ;;
    maven) need mvn 3.6 'mvn --version' 'Maven, apt install maven' ;;
    *) echo "prerequisites.sh knows nothing of $tool" >&2; missing=1 ;;
  esac
done
exit $missing
