"""What runs between the steps of a training."""

from simclr_tf.training.hooks.evaluate import Evaluate
from simclr_tf.training.hooks.hook import Hook, Moment
from simclr_tf.training.hooks.log import Log
from simclr_tf.training.hooks.save import Save
from simclr_tf.training.hooks.show import Show
from simclr_tf.training.hooks.tell import Tell

__all__ = ["Evaluate", "Hook", "Log", "Moment", "Save", "Show", "Tell"]
