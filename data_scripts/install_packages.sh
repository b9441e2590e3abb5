#!/usr/bin/env bash
# Installs the Debian packages that serene needs, or those named as arguments. Does nothing when all are there.
set -euo pipefail

build=(g++ cmake ninja-build ccache pkg-config python3
  libeigen3-dev libsndfile1-dev libsamplerate0-dev zlib1g-dev libcxxopts-dev nlohmann-json3-dev doctest-dev
  libboost-dev libsqlite3-dev portaudio19-dev)
# The dashboard's two libraries come by npm; elsewhere than from Debian, npm is part of the package nodejs.
command -v npm >/dev/null || build+=(nodejs npm)
wanted=("${@:-${build[@]}}")

missing=()
for package in "${wanted[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "install_packages: not root and no sudo; please install: ${missing[*]}" >&2; exit 2; }
  as_root=(sudo)
fi
echo "Installing Debian packages: ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq >&2 || echo "install_packages: apt-get update failed, trying with the lists at hand" >&2
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
