#!/usr/bin/env bash
# lanes.sh "TARGET ..." "TARGET ..." ...: makes the targets of each lane one after the
# other, and the lanes side by side. The output of a target goes to
# .local/test/TARGET.log, and is shown if the target fails. The others go on.
set -u
logs=.local/test
rm -rf "$logs"
mkdir -p "$logs"

lane() {
  local target began
  for target in $1; do
    began=$SECONDS
    if make "$target" >"$logs/$target.log" 2>&1 </dev/null; then
      touch "$logs/$target.passed"
      printf 'ok    %-9s %4d s  %s\n' "$target" $((SECONDS - began)) "$(grep '^DONE' "$logs/$target.log" | tail -n 1)"
    else
      touch "$logs/$target.failed"
      # One write, so that lanes do not mix their lines.
      printf '%s\n' "$(printf 'FAIL  %-9s %4d s\n' "$target" $((SECONDS - began)); sed 's/^/      /' "$logs/$target.log"; echo "FAIL  $target: the above is $logs/$target.log")"
    fi
  done
}

echo "side by side: $(printf '%s; ' "$@")their output is in $logs"
set -m # each lane is a process group of its own
lanes=()
for targets in "$@"; do
  lane "$targets" &
  lanes+=($!)
done
trap 'for l in "${lanes[@]}"; do kill -TERM -- -"$l" 2>/dev/null; done; exit 130' INT TERM
wait

passed=$(find "$logs" -name '*.passed' | wc -l)
failed=$(find "$logs" -name '*.failed' | wc -l)
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" = "$(wc -w <<<"$*")" ]
