#!/usr/bin/env bash
# Installs finewright without a network: bash install.sh [FOLDER]
# Written by finewright bundle for Python @PYTHON@ on @PLATFORM@. PYTHON names another interpreter of that version.
set -euo pipefail
target=${1:-$PWD/finewright}
cd "$(dirname "${BASH_SOURCE[0]}")"
sha256sum --check --quiet --strict SHA256SUMS
python=${PYTHON:-python@PYTHON@}
found=$("$python" -c 'import platform, sys; print(f"{sys.version_info[0]}.{sys.version_info[1]} {platform.machine()}")')
if [ "$found" != "@PYTHON@ @MACHINE@" ]; then
  echo "error: this bundle is for Python @PYTHON@ on @MACHINE@, and $python is $found" >&2
  exit 2
fi
if [ -e "$target" ]; then
  echo "error: $target is there already; name a new folder" >&2
  exit 2
fi
mkdir -p "$target"
target=$(cd "$target" && pwd)
"$python" -m venv "$target/venv"
# --isolated: no index, mirror or constraint of this machine's settings has a say.
"$target/venv/bin/python" -m pip --isolated install --quiet --disable-pip-version-check --no-index --no-deps \
  --find-links wheels --require-hashes --requirement requirements.txt
"$target/venv/bin/python" -m pip --isolated check
cp -R cache specs "$target"
cat > "$target/env.sh" <<EOF
export PATH="$target/venv/bin:\$PATH" FINEWRIGHT_CACHE="$target/cache" FINEWRIGHT_OFFLINE=1 HF_HUB_OFFLINE=1
EOF
echo "finewright is in $target; now: source $target/env.sh"
