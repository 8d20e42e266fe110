#!/bin/sh
# Builds the wheel, installs it with nothing else into a fresh environment of each
# Python, and pretrains, measures and exports there.
#   sh tools/wheel/check.sh [PYTHON …]      python3.9 to python3.13 by default
# A Python that is not there is named and left out. WHEEL_CHECK, a folder, keeps the
# wheel and the environments; by default they are removed. Each environment takes two
# gigabytes and some minutes.
set -eu
cd "$(dirname "$0")/../.."
work=${WHEEL_CHECK:-$(mktemp -d)}
[ -n "${WHEEL_CHECK:-}" ] || trap 'rm -rf "$work"' EXIT
[ $# -gt 0 ] || set -- python3.9 python3.10 python3.11 python3.12 python3.13
unset PYTHONPATH TF_USE_LEGACY_KERAS

# A copy: building leaves files behind that a later wheel would take for its own.
rm -rf "$work/source"
mkdir -p "$work/source"
cp -R simclr_tf pyproject.toml README.md LICENSE "$work/source"
work=$(cd "$work" && pwd)

tried=0
for python in "$@"; do
    version=$("$python" -c 'import ensurepip, sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || {
        echo "$python: not here, not tried."
        continue
    }
    venv=$work/$version
    "$python" -m venv --clear "$venv"
    pip="$venv/bin/python -m pip --disable-pip-version-check -q"
    if [ $tried = 0 ]; then
        rm -f "$work"/simclr_tf-*.whl
        $pip wheel --no-deps --wheel-dir "$work" "$work/source"
    fi
    tried=$((tried + 1))
    $pip install "$work"/simclr_tf-*.whl
    $pip check

    # Away from the checkout, so that the package can only be the installed one.
    cd "$work"
    rm -rf "$version-run" "$version-encoder"
    "$venv/bin/simclr" --version
    "$venv/bin/simclr" pretrain --run="$version-run" --dataset=shapes:64 \
        --encoder=resnet18x0.125 --image_size=16 --batch_size=16 --epochs=1 \
        --precision=float32
    "$venv/bin/simclr" knn --run="$version-run"
    "$venv/bin/simclr" export --run="$version-run" --output="$version-encoder"
    "$venv/bin/python" -c "
import tensorflow as tf
features = tf.saved_model.load('$version-encoder')(tf.zeros([2, 20, 24, 3], tf.uint8))
assert features.shape == [2, 64], features.shape
"
    cd - >/dev/null
    echo "Python $version: the wheel works."
done
[ $tried -gt 0 ] || { echo "None of $* is here." >&2 && exit 1; }
