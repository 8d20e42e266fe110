#!/bin/sh
# Repeats an experiment over three seeds and prints its table.
#   sh experiments/seeds.sh FLAGFILE RUNS_FOLDER [--flag=value …]
# Further flags go to every pretrain. Finished runs are not run again.
set -eu
flagfile=$1 runs=$2
shift 2
bin=${SIMCLR_VENV:-$(dirname "$0")/../.venv}/bin

for seed in 0 1 2; do
    run=$runs/seed$seed
    "$bin/simclr" pretrain --flagfile="$flagfile" "$@" --seed=$seed --run="$run"
    for command in knn linear_eval; do
        "$bin/simclr" $command --run="$run"
        "$bin/simclr" $command --run="$run" --random
    done
done
"$bin/python" "$(dirname "$0")/table.py" "$runs"/seed*
