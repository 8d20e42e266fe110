#!/bin/sh
# The whole of SimCLR on images that come with the package: pretrain, compare with a
# random encoder and with bare pixels, export, reload, embed. experiments/README.md
# says how long it takes and what to expect.
#   sh experiments/quickstart/run.sh [RUN_FOLDER]
set -eu
cd "$(dirname "$0")/../.."
sh setup.sh
bin=${SIMCLR_VENV:-.venv}/bin
run=${1:-runs/quickstart}

step() { printf '\n== %s\n' "$1"; }

step "Pretraining, without labels"
"$bin/simclr" pretrain --flagfile=experiments/quickstart/flags.txt --run="$run"
step "What the views look like"
"$bin/simclr" preview --dataset=shapes --output="$run/preview.png"
step "Evaluation of the encoder"
"$bin/simclr" knn --run="$run"
"$bin/simclr" linear_eval --run="$run"
step "The same of an encoder that has learned nothing"
"$bin/simclr" knn --run="$run" --random
"$bin/simclr" linear_eval --run="$run" --random
step "The page of the run, with these figures"
"$bin/simclr" report "$run"
step "Export, reload, embed"
"$bin/simclr" export --run="$run" --output="$run/encoder"
"$bin/simclr" embed --saved_model="$run/encoder" --dataset=shapes --split=test \
    --output="$run/embeddings.npz"
step "What was gained"
"$bin/python" experiments/quickstart/summary.py "$run"
