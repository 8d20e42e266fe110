"""The published form of the loss, in time and memory, in a process of its own.

python -m tools.benchmark.peer_loss VIEWS REPEATS
"""

from __future__ import annotations

import json
import sys

from simclr_tf.benchmark.loss import time_loss
from tools.benchmark.peers import published_loss

if __name__ == "__main__":
    print(json.dumps(time_loss(published_loss, *map(int, sys.argv[1:]))))
