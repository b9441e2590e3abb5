#!/usr/bin/env bash
# Builds serene into build/ (or the folder in $SERENE_BUILD) and prints the path of the program. Arguments go to cmake.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
build=${SERENE_BUILD:-$root/build}
cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release "$@" >&2
cmake --build "$build" >&2
echo "$build/serene"
