#!/bin/sh
# Makes the Python environment of this checkout: .venv, or what SIMCLR_VENV names.
# PYTHON picks the interpreter; without it the first fitting one is taken. Running
# it again is quick and does nothing unless the requirements or the version changed.
set -eu
cd "$(dirname "$0")"
venv=${SIMCLR_VENV:-.venv}
stamp=$venv/simclr_tf.stamp

fail() {
    echo "setup.sh: $1" >&2
    exit 2
}

# "3.11" where $1 is a Python of 3.9 to 3.13 that runs and can make environments;
# nothing where it is anything else, such as a shim whose Python is not there.
version_of() {
    "$1" -c '
import ensurepip, sys, venv
if (3, 9) <= sys.version_info[:2] <= (3, 13):
    print("%d.%d" % sys.version_info[:2])
' 2>/dev/null || true
}

if [ -n "${PYTHON:-}" ]; then
    set -- "$PYTHON"
else
    set -- "$venv/bin/python" \
        python3.11 python3.10 python3.9 python3 python3.12 python3.13
fi
version=
for python in "$@"; do
    version=$(version_of "$python")
    [ -z "$version" ] || break
done
if [ -z "$version" ]; then
    [ -z "${PYTHON:-}" ] || fail "PYTHON=$PYTHON is no Python of 3.9 to 3.13 that runs and has the venv module."
    fail "no Python of 3.9 to 3.13 found; install Python 3.11 with its venv module (Debian and Ubuntu: apt install python3.11-venv)."
fi

case $version in
    3.9 | 3.10 | 3.11) requirements=requirements.txt tensorflow=2.15.1 ;;
    *) requirements=requirements-tf2.21.txt tensorflow=2.21.0 ;;
esac
wanted="$version $(pwd) $(cat "$requirements" requirements-dev.txt pyproject.toml simclr_tf/version.py | cksum)"

if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
    echo "Python $version, TensorFlow $tensorflow: $venv is up to date."
    exit 0
fi

if [ "$(version_of "$venv/bin/python")" != "$version" ]; then
    if [ -e "$venv" ] && [ ! -f "$stamp" ]; then
        fail "$venv exists and is no Python $version environment made here; remove it or let SIMCLR_VENV name another folder."
    fi
    "$python" -m venv --clear "$venv"
fi
: >"$stamp"

echo "Python $version ($python): installing TensorFlow $tensorflow and friends into $venv, some minutes the first time."
"$venv/bin/python" -m pip install -qq --disable-pip-version-check \
    -r "$requirements" -r requirements-dev.txt
"$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
echo "$wanted" >"$stamp"
echo "Done: $venv/bin/simclr and $venv/bin/python are ready."
