#!/usr/bin/env bash
# Trains the models of configs/pretrained again and says whether the same bytes came out.
#
#   data_scripts/retrain_shipped.sh [--adopt] [NAME...]        names: cremad ravdess_cremad; none: all
#
# --adopt puts what was trained, with its card, in the place of what lies there. Runs are kept in runs/shipped/NAME and
# go on where they were stopped. default.safetensors is not among them: configs/pretrained/README.md says why. Ends with 0 when every model is the same (or was adopted), else with 2.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
serene=${SERENE:-build/serene}
adopt=no
names=()
for word in "$@"; do
  case $word in
    --adopt) adopt=yes ;;
    cremad | ravdess_cremad) names+=("$word") ;;
    *)
      echo "retrain_shipped.sh: no such model: $word (cremad or ravdess_cremad)" >&2
      exit 1
      ;;
  esac
done
[ ${#names[@]} -gt 0 ] || names=(cremad ravdess_cremad)

status=0
for name in "${names[@]}"; do
  run=runs/shipped/$name
  shipped=configs/pretrained/$name.safetensors
  if [ ! -e "$run/report.html" ]; then
    if [ -e "$run/last.safetensors" ]; then
      "$serene" train --resume --run "$run" >/dev/null
    else
      "$serene" train "configs/pretrained/$name.json" --run "$run" >/dev/null
    fi
  fi
  if [ "$adopt" = yes ]; then
    cp "$run/best.safetensors" "$shipped"
    cp "$run/model_card.md" "configs/pretrained/$name.md"
    (cd configs/pretrained && sha256sum -- *.safetensors >checksums.sha256)
    echo "$name: adopted, $(sha256sum <"$shipped" | cut -c1-64)"
  elif cmp -s "$run/best.safetensors" "$shipped"; then
    echo "$name: the same bytes"
  else
    echo "$name: DIFFERS ($run/best.safetensors, $shipped)"
    status=2
  fi
done
exit "$status"
