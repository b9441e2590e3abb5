#!/usr/bin/env bash
# Installs what the tests need, builds everything and runs every test; ctest's summary comes last.
#
#   tests/run.sh [CTEST-OPTIONS...]      such as -R golden
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
data_scripts/install_packages.sh
data_scripts/install_packages.sh espeak-ng chromium dpkg-dev file
data_scripts/install_packages.sh python3-onnx python3-h5py libhdf5-dev libzip-dev  # other programs' models, in and out
data_scripts/install_packages.sh doxygen
data_scripts/install_packages.sh libopenmpi-dev openmpi-bin iproute2  # training over several processes
data_scripts/install_packages.sh pybind11-dev python3-dev python3-numpy  # the Python module
build=${SERENE_BUILD:-$root/build/tests}
SERENE_BUILD=$build data_scripts/build.sh -DSERENE_BUILD_TESTS=ON -DSERENE_BUILD_TOOLS=ON -DSERENE_PYTHON=ON \
  -DSERENE_WITH_MPI=ON >/dev/null
ctest --test-dir "$build" --output-on-failure -j "$(nproc)" "$@"
