#!/usr/bin/env bash
# From a fresh Debian 12 to a trained and evaluated model with one command.
#
#   data_scripts/quickstart.sh [SERENE-TRAIN-OPTIONS...]      such as --set train.epochs=10
#
# Installs packages, builds, finds RAVDESS ($SERENE_DATA, ../shared/data, ./data), else downloads it, else (no network) makes a
# small synthetic corpus with espeak-ng and says so; trains model_strong, evaluates it and prints where the report lies.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
say() { printf '\n== %s\n' "$*" >&2; }

say "1/5 Packages"
data_scripts/install_packages.sh

say "2/5 Build"
serene=$(data_scripts/build.sh -DSERENE_BUILD_TESTS=OFF)

say "3/5 Corpus"
has_ravdess() { [ -n "$1" ] && [ -n "$(find -L "$1/ravdess" -name '03-01-*' -print -quit 2>/dev/null)" ]; }
data=""
for place in "${SERENE_DATA:-}" ../shared/data data; do
  if has_ravdess "$place"; then data=$place; break; fi
done
if [ -n "$data" ]; then
  echo "RAVDESS found in $data" >&2
elif python3 data_scripts/download.py ravdess --dest data --retries 2 >&2; then
  data=data
else
  echo "RAVDESS could not be downloaded: making a SYNTHETIC corpus with espeak-ng instead." >&2
  echo "Its scores say that everything works; they say nothing about real speech." >&2
  data_scripts/install_packages.sh espeak-ng
  python3 data_scripts/synthetic_corpus.py data/synthetic/ravdess
  data=data/synthetic
fi

run=runs/quickstart
say "4/5 Training into $run"
if [ -e "$run" ]; then
  mv "$run" "$run.$(date +%Y%m%d-%H%M%S)"
fi
"$serene" train configs/model_strong.json --data "$data" --run "$run" "$@"

say "5/5 Evaluation"
"$serene" evaluate "$run" --data "$data"
say "Done. The report: $root/$run/report.html"
echo "Try: build/serene predict $run/best.safetensors FILE.wav" >&2
