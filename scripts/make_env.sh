#!/bin/sh
# Make the virtual environment from the hashed lock: uv where it is installed, pip where it is not.
set -eu
venv=${1:-.venv}
root=$(cd "$(dirname "$0")/.." && pwd)
lock=$root/requirements.lock

uv="" needs="ensurepip, venv"
if command -v uv >/dev/null 2>&1 && uv --version >/dev/null 2>&1; then uv=uv needs="venv"; fi

# A pyenv shim can exist and fail, a Debian python3 can lack ensurepip: only an interpreter that runs counts.
runs() { "$1" -c "import sys, $needs; sys.exit(not (3, 12) <= sys.version_info < (3, 15))" >/dev/null 2>&1; }

python=""
for candidate in python3.13 "$HOME"/.pyenv/versions/3.13*/bin/python3 python3.14 "$HOME"/.pyenv/versions/3.14*/bin/python3 \
    python3.12 "$HOME"/.pyenv/versions/3.12*/bin/python3 python3; do
  if runs "$candidate"; then python=$candidate; break; fi
done
if [ -z "$python" ]; then
  echo "mmx needs Python 3.12, 3.13 or 3.14 with the venv module; none was found." >&2
  echo "Install one, for example: pyenv install 3.13 (or on Debian: apt install python3-venv)" >&2
  exit 2
fi

# pip prints hundreds of lines or, asked to be quiet, nothing for minutes: its lines go to a log, and one line says how far it is.
watched() {
  log=$venv/install.log
  "$@" >>"$log" 2>&1 &
  job=$!
  trap 'kill "$job" 2>/dev/null; exit 130' INT TERM
  while kill -0 "$job" 2>/dev/null; do
    sleep 1
    seconds=$(($(date +%s) - began))
    if grep -q '^Installing collected packages' "$log"; then step="installing packages"
    else step="fetched $(grep -c '^Collecting ' "$log" || true) of about $(grep -c '^[a-z].*==' "$lock") packages"; fi
    if [ -t 2 ]; then printf '\r  %s, %s s   ' "$step" "$seconds" >&2
    elif [ "$seconds" -ge "$told" ]; then echo "  $step, $seconds s" >&2; told=$((seconds + 15)); fi
  done
  if [ -t 2 ]; then printf '\r%60s\r' '' >&2; fi
  if ! wait "$job"; then
    tail -n 15 "$log" >&2
    echo "The environment could not be made; everything pip said is in $log. Running make again goes on from here." >&2
    exit 2
  fi
  trap - INT TERM
}

began=$(date +%s) told=15
if [ -n "$uv" ]; then how="uv"; else how="pip, once; two or three minutes"; fi
echo "Making the environment $venv with $("$python" --version) and $how"
fresh=""
if [ -e "$venv/pyvenv.cfg" ] && ! runs "$venv/bin/python"; then fresh="--clear"; fi

with_uv() {
  if [ -n "$fresh" ] || [ ! -x "$venv/bin/python" ]; then uv venv --quiet $fresh --python "$python" "$venv" || return 1; fi
  uv pip install --quiet --python "$venv/bin/python" --require-hashes -r "$lock" &&
    uv pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation -e "$root"
}

with_pip() {
  if [ -n "$fresh" ] || [ ! -x "$venv/bin/python" ]; then "$python" -m venv $fresh "$venv"; fi
  "$venv/bin/python" -m pip --version >/dev/null 2>&1 || "$venv/bin/python" -m ensurepip >/dev/null
  : >"$venv/install.log"
  watched "$venv/bin/python" -m pip install --disable-pip-version-check --progress-bar off --require-hashes -r "$lock"
  watched "$venv/bin/python" -m pip install --disable-pip-version-check --no-deps --no-build-isolation -e "$root"
}

# Where pip is set up to reach packages and uv is not, pip goes on.
if [ -z "$uv" ]; then with_pip
elif ! with_uv; then
  echo "uv could not install the packages; going on with pip" >&2
  with_pip
fi
echo "The environment is ready after $(($(date +%s) - began)) s."
