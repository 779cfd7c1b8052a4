#!/bin/sh
# Real sharing violations: the spool in deno.exe beside a scanner that holds its files (WF-01, WF-02), and spools at long
# paths (WF-05). Run by hand; needs a lab under wine (WINLAB: its folder, with the command `winlab` in it) and mingw.
#
#     tests/windows/held_files.sh [INSTANCES]
#
# On Windows itself: gcc -municode -o scanner.exe tests\windows\scanner.c
#                    deno run -A tests\windows\held_files.ts scanner.exe
set -eu
cd "$(dirname "$0")/../.."
lab=${WINLAB:-/nowhere}/winlab
compiler=x86_64-w64-mingw32-gcc
if [ ! -x "$lab" ]; then
  echo "skipped: there is no Windows lab here (WINLAB is to say where one lies)"
  exit 0
fi
if ! command -v "$compiler" >/dev/null; then
  echo "skipped: $compiler is not installed, which compiles the scanner"
  exit 0
fi
folder=$(mktemp -d)
own=
if [ -z "${WINLAB_PREFIX:-}" ]; then
  own=yes
  export WINLAB_PREFIX="$folder/windows"
fi
finish() {
  if [ -n "$own" ]; then "$lab" down >/dev/null 2>&1 || true; fi
  rm -rf "$folder"
}
trap finish EXIT
trap "exit 1" INT TERM
"$compiler" -municode -O2 -Wall -o "$folder/scanner.exe" tests/windows/scanner.c
"$lab" cache tests/windows/held_files.ts >/dev/null
NO_COLOR=1 "$lab" deno run -A --cached-only --no-check tests/windows/held_files.ts \
  "$folder/scanner.exe" "${1:-500}"
