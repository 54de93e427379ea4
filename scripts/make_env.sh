#!/bin/sh
# Make the virtual environment from the hashed lock: uv where it is installed, pip where it is not.
set -eu
venv=${1:-.venv}
root=$(cd "$(dirname "$0")/.." && pwd)

runs() { "$1" -c 'import sys; sys.exit(not (3, 12) <= sys.version_info < (3, 15))' >/dev/null 2>&1; }

python=""
for candidate in python3.13 "$HOME"/.pyenv/versions/3.13*/bin/python3 python3.14 "$HOME"/.pyenv/versions/3.14*/bin/python3 \
    python3.12 "$HOME"/.pyenv/versions/3.12*/bin/python3 python3; do
  if runs "$candidate"; then python=$candidate; break; fi
done
if [ -z "$python" ]; then
  echo "mmx needs Python 3.12, 3.13 or 3.14; none was found. Install one, for example: pyenv install 3.13" >&2
  exit 2
fi

echo "Making the environment $venv with $("$python" --version) (once; a minute or two with pip) ..."
if command -v uv >/dev/null 2>&1 && uv --version >/dev/null 2>&1; then
  [ -x "$venv/bin/python" ] || uv venv --quiet --python "$python" "$venv"
  uv pip install --quiet --python "$venv/bin/python" --require-hashes -r "$root/requirements.lock"
  uv pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation -e "$root"
else
  [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --quiet --disable-pip-version-check --require-hashes -r "$root/requirements.lock"
  "$venv/bin/python" -m pip install --quiet --quiet --disable-pip-version-check --no-deps --no-build-isolation -e "$root"
fi
