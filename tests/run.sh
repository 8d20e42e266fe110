#!/bin/sh
# Makes the environment and passes the tests, after lint, format and types.
#   sh tests/run.sh             the common tier: what every change has to pass
#   sh tests/run.sh quick       without what takes more than some seconds
#   sh tests/run.sh all         everything: larger forms of what the common tier proves
#   sh tests/run.sh rest PATHS  what `all` holds beyond the common tier
#   PYTHON=python3.12 SIMCLR_VENV=.venv-tf2.21 sh tests/run.sh     the newer stack
# Further arguments are pytest's. On Python 3.11 it installs the TPU compiler for the
# tests of tpu_check into .venv-tpu-check: libtpu comes under the terms of the Google
# Cloud Platform. SIMCLR_LIBTPU=no leaves it out, and skips those tests.
set -eu
cd "$(dirname "$0")/.."
case ${1:-} in
    quick) tier="not slow and not exhaustive" && shift ;;
    all) tier="" && shift ;;
    rest) tier="exhaustive" && shift ;;
    *) tier="not exhaustive" ;;
esac

sh setup.sh
bin=${SIMCLR_VENV:-.venv}/bin
"$bin/ruff" check --quiet .
"$bin/ruff" format --check --quiet .
"$bin/mypy"

compiler=.venv-tpu-check
wanted=$(cksum requirements-tpu-check.txt)
if [ "${SIMCLR_LIBTPU:-yes}" != no ] &&
    "$bin/python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' &&
    [ "$(cat $compiler/stamp 2>/dev/null)" != "$wanted" ]; then
    echo "Installing the TPU compiler into $compiler; libtpu comes under the terms of"
    echo "the Google Cloud Platform (SIMCLR_LIBTPU=no leaves it out)."
    if "$bin/python" -m venv --clear $compiler &&
        $compiler/bin/python -m pip install -qq --disable-pip-version-check \
            -r requirements-tpu-check.txt; then
        echo "$wanted" >$compiler/stamp
    else
        # Its tests say so and are skipped.
        rm -rf $compiler
    fi
fi

# Each worker would otherwise start a thread a core for every matrix product.
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
# One more than there are cores, since some tests wait for processes of their own; at
# most 4, since each holds some gigabytes. Groups stay together: they share a process
# of replicas, or the models that a file makes once.
workers=$(($(getconf _NPROCESSORS_ONLN) + 1))
[ "$workers" -le 4 ] || workers=4
status=0
"$bin/python" -m pytest -n "$workers" --dist loadgroup --no-loadscope-reorder \
    -m "$tier" "$@" ||
    status=$?
# 5: no test of these paths is in this tier.
[ $status -ne 5 ] || [ "$tier" != exhaustive ] || status=0
exit $status
