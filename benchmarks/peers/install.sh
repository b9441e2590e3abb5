#!/usr/bin/env bash
# Installs what the performance suite compares with: PyTorch and libtorch from Debian, ONNX Runtime by npm at the
# version and hashes of the lock file, into FOLDER (default: build/peers). Nothing of a package is run while installing.
#
#   benchmarks/peers/install.sh [FOLDER]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-$here/../../build/peers}

"$here/../../data_scripts/install_packages.sh" python3-torch python3-numpy libopenblas0-openmp libtorch-dev g++ cmake ninja-build
command -v npm >/dev/null || "$here/../../data_scripts/install_packages.sh" nodejs npm

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
if ! cmp -s "$here/package-lock.json" "$folder/package-lock.json" || [ ! -d "$folder/node_modules/onnxruntime-node" ]; then
  cp "$here/package.json" "$here/package-lock.json" "$folder/"
  (cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
fi
cmake -S "$here" -B "$folder/libtorch" -G Ninja -DCMAKE_BUILD_TYPE=Release >/dev/null
cmake --build "$folder/libtorch"
