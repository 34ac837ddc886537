#!/usr/bin/env bash
# tools.sh: fetches from npm what pages are drawn and checked with, once, and prints the path of
# Chromium: the one that KEYPOOL_CHROMIUM names, the system's, else one from npm (x86-64), with
# the libraries that it needs.
set -eu
cd "$(dirname "$0")"
mkdir -p ../../.local/chromium
exec 9>../../.local/chromium/lock
flock 9 # tests of several packages start at once
if [ ! node_modules/.package-lock.json -nt package-lock.json ]; then
  echo "fetching fonts and checkers from npm, once" >&2
  npm ci --no-audit --no-fund --loglevel=error >&2
  touch node_modules/.package-lock.json
fi

if [ -n "${KEYPOOL_CHROMIUM:-}" ]; then
  echo "$KEYPOOL_CHROMIUM"
  exit
fi
for name in chromium chromium-browser google-chrome; do
  if command -v "$name"; then exit; fi
done
if [ "$(uname -m)" != x86_64 ]; then
  echo "Chromium is missing: install it, apt install chromium" >&2
  exit 1
fi
cd ../../.local/chromium
if [ ! -x chromium.sh ]; then
  echo "fetching Chromium from npm, once" >&2
  npm install --prefix . --no-save --no-audit --no-fund --loglevel=error @sparticuz/chromium@147.0.0 >&2
  # The package unpacks its libraries too where it believes itself on Lambda.
  AWS_LAMBDA_JS_RUNTIME=nodejs22.x TMPDIR=$PWD node --input-type=module \
    -e 'import chromium from "@sparticuz/chromium"; await chromium.executablePath()'
  sed -i "s#/tmp/#$PWD/#" fonts/fonts.conf
  printf '#!/bin/sh\nFONTCONFIG_PATH=%q LD_LIBRARY_PATH=%q exec %q "$@"\n' "$PWD/fonts" "$PWD/al2023/lib" "$PWD/chromium" >chromium.sh
  chmod +x chromium.sh
fi
echo "$PWD/chromium.sh"
