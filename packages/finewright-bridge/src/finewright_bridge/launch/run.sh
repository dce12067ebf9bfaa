#!/usr/bin/env bash
# @ABOUT@
# Written by finewright launch. Started again, it goes on where the run was stopped.
#   FINEWRIGHT_RUNS    where the run folder is kept (default: runs, beside this file)
#   FINEWRIGHT_PLACE   a mounted folder to which the runs are copied as one archive, and from which they come back
#   FINEWRIGHT_PYTHON  ready: finewright is installed; here: install into this Python; else a new environment
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
sha256sum --check --quiet --strict SHA256SUMS
runs=${FINEWRIGHT_RUNS:-$PWD/runs}
place=${FINEWRIGHT_PLACE:-}
limit=@LIMIT@  # seconds that all attempts together may take; 0: no limit
mkdir -p "$runs"

# The archive is put in place whole: manifests go first, so that all they name is in it. 1: a file changed meanwhile.
save() {
  [ -n "$place" ] || return 0
  mkdir -p "$place"
  local code=0
  { (cd "$runs" && find . -name manifest.json -type f -print0 && find . ! -name manifest.json ! -name '.*.tmp' -type f -print0) |
      tar --create --file "$place/runs.tar.new" --directory "$runs" --null --no-recursion --ignore-failed-read --files-from -; } || code=$?
  [ "$code" -le 1 ] && mv "$place/runs.tar.new" "$place/runs.tar"
}
if [ -n "$place" ] && [ -f "$place/runs.tar" ] && [ -z "$(ls -A "$runs")" ]; then
  tar --extract --file "$place/runs.tar" --directory "$runs"
fi

spent=$(cat "$runs/.launch-seconds" 2>/dev/null || echo 0)
note() { echo $((spent + SECONDS)) > "$runs/.launch-seconds.new" && mv "$runs/.launch-seconds.new" "$runs/.launch-seconds"; }
watch() {
  local round=0
  while sleep 20 > /dev/null 2>&1; do  # holds no pipe of ours open
    note
    round=$((round + 1))
    if [ $((round % @ROUNDS@)) -eq 0 ]; then save || echo "warning: $place could not be written" >&2; fi
  done
}
watch & watcher=$!
finish() {
  kill "$watcher" 2>/dev/null || true
  wait "$watcher" 2>/dev/null || true
  note
  save || { echo "error: $place could not be written; the run is in $runs alone" >&2; exit 74; }
}
trap finish EXIT

find_python() {
  for name in python3.13 python3.12 python3.11 python3; do
    if command -v "$name" > /dev/null && "$name" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
      echo "$name"
      return
    fi
  done
}
case ${FINEWRIGHT_PYTHON:-new} in
  ready) ;;
  here) python3 -m pip install --quiet --requirement requirements.txt ;;
  *)
    venv=${FINEWRIGHT_VENV:-$PWD/.venv}
    if [ ! -x "$venv/bin/finewright" ]; then
      python=$(find_python)
      if [ -n "$python" ]; then
        "$python" -m venv --clear "$venv"
      else  # only an older Python is here
        python3 -m pip install --quiet uv && python3 -m uv venv --quiet --clear --seed --python 3.12 "$venv"
      fi
      "$venv/bin/python" -m pip install --quiet --requirement requirements.txt
    fi
    PATH=$venv/bin:$PATH ;;
esac
@TRUST@
command=(finewright up @SPEC@@SETTINGS@ --runs "$runs")
if [ "$limit" -gt 0 ]; then
  # Stopped two minutes before its end, to save what was done.
  left=$((limit - spent - SECONDS - 120))
  if [ "$left" -le 0 ]; then
    echo "the limit of $limit s is spent; the run is in $runs" >&2
    exit 124
  fi
  command=(timeout --signal=TERM --kill-after=90 "$left" "${command[@]}")
fi
# A machine that is taken away says so by a signal: the run writes its checkpoint and ends.
stopping=
"${command[@]}" & child=$!
trap 'stopping=1; kill -TERM "$child" 2>/dev/null || true' TERM INT
code=0
wait "$child" || code=$?
while kill -0 "$child" 2>/dev/null; do code=0; wait "$child" || code=$?; done
if [ -n "$stopping" ]; then  # a wait that a signal ends gives the signal's number, not the run's code
  again=0
  wait "$child" 2>/dev/null || again=$?
  [ "$again" -eq 127 ] || code=$again
fi
exit "$code"
