#!/bin/sh
# Make the environments of the peers that mmx is compared with: one folder each, pinned in scripts/peers/, installed by pip.
#     scripts/make_peers.sh [FOLDER] [PEER ...]      default: .peers, both peers
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:-$root/.peers}
if [ $# -gt 0 ]; then shift; fi
if [ $# -eq 0 ]; then set -- pymc_marketing meridian; fi

# A pyenv shim can exist and fail, a Debian python3 can lack ensurepip: only an interpreter that runs counts.
runs() { "$1" -c "import sys, ensurepip, venv; sys.exit('%d.%d' % sys.version_info[:2] != '$2')" >/dev/null 2>&1; }

find_python() {
  for candidate in "python$1" "$HOME"/.pyenv/versions/"$1"*/bin/python3 python3; do
    if runs "$candidate" "$1"; then echo "$candidate"; return 0; fi
  done
  return 1
}

make_peer() {
  peer=$1 version=$2
  pins=$root/scripts/peers/$peer.txt venv=$folder/$peer
  if ! python=$(find_python "$version"); then
    echo "The peer $peer needs Python $version with the venv module; none was found." >&2
    echo "Install one, for example: pyenv install $version (or on Debian: apt install python$version-venv)" >&2
    exit 2
  fi
  if [ -e "$venv/pins.txt" ] && cmp -s "$pins" "$venv/pins.txt" && runs "$venv/bin/python" "$version"; then
    echo "The environment $venv is up to date."
    return
  fi
  began=$(date +%s)
  echo "Making the environment $venv with $("$python" --version) and pip; two or three minutes"
  mkdir -p "$folder"
  "$python" -m venv --clear "$venv"
  log=$venv/install.log
  if ! "$venv/bin/python" -m pip install --disable-pip-version-check --progress-bar off -r "$pins" >"$log" 2>&1; then
    tail -n 15 "$log" >&2
    echo "The environment of $peer could not be made; everything pip said is in $log. Running this again starts it anew." >&2
    exit 2
  fi
  cp "$pins" "$venv/pins.txt"
  echo "The environment $venv is ready after $(($(date +%s) - began)) s."
}

for peer in "$@"; do
  case $peer in
    pymc_marketing) make_peer pymc_marketing 3.13 ;;
    meridian) make_peer meridian 3.12 ;;
    *) echo "There is no peer $peer; there are pymc_marketing and meridian." >&2; exit 2 ;;
  esac
done
