#!/bin/sh
# Makes the environment and passes the tests: lint, format, then the whole suite on
# the TensorFlow 2.15 stack or the fast tier on the newer one.
#   sh tests/run.sh
#   PYTHON=python3.12 SIMCLR_VENV=.venv-tf2.21 sh tests/run.sh
set -eu
cd "$(dirname "$0")/.."
sh setup.sh
bin=${SIMCLR_VENV:-.venv}/bin

"$bin/ruff" check --quiet .
"$bin/ruff" format --check --quiet .

# The TPU compiler, for the tests of tpu_check, in an environment of its own; where it
# cannot be had, those tests say so and are skipped.
compiler=.venv-tpu-check
wanted=$(cksum requirements-tpu-check.txt)
if "$bin/python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' &&
    [ "$(cat $compiler/stamp 2>/dev/null)" != "$wanted" ]; then
    echo "Installing the TPU compiler into $compiler."
    if "$bin/python" -m venv --clear $compiler &&
        $compiler/bin/python -m pip install -qq --disable-pip-version-check \
            -r requirements-tpu-check.txt; then
        echo "$wanted" >$compiler/stamp
    else
        rm -rf $compiler
    fi
fi

tier=$("$bin/python" -c 'import sys; print("" if sys.version_info < (3, 12) else "not slow")')
# Each worker would otherwise start a thread a core for every matrix product.
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
exec "$bin/python" -m pytest -n logical --maxprocesses 4 --dist loadfile -m "$tier" "$@"
