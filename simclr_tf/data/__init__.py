"""Sources of images, and the batches made from them."""

from simclr_tf.data.batches import (
    evaluation_batches,
    pretrain_batches,
    require_divisible,
    sample,
    sample_sizes,
    steps_per_epoch,
)
from simclr_tf.data.failures import data_errors
from simclr_tf.data.few_images import preview, unaugmented
from simclr_tf.data.file_views import cuts_files
from simclr_tf.data.given import from_dataset, given_spec, spec_of_given
from simclr_tf.data.image_form import AS_IT_IS, ImageForm
from simclr_tf.data.kinds import NOTATION, in_form, load
from simclr_tf.data.prepared import write_prepared
from simclr_tf.data.source import DataError, MissingSplit, Source
from simclr_tf.data.splits import (
    HELD_OUT,
    PretrainingData,
    labelled_part,
    load_for_pretraining,
    load_splits,
    load_test,
    load_train_and_test,
)
from simclr_tf.data.subset import Subset

__all__ = [
    "AS_IT_IS",
    "HELD_OUT",
    "NOTATION",
    "DataError",
    "ImageForm",
    "MissingSplit",
    "PretrainingData",
    "Source",
    "Subset",
    "cuts_files",
    "data_errors",
    "evaluation_batches",
    "from_dataset",
    "given_spec",
    "in_form",
    "labelled_part",
    "load",
    "load_for_pretraining",
    "load_splits",
    "load_test",
    "load_train_and_test",
    "pretrain_batches",
    "preview",
    "require_divisible",
    "sample",
    "sample_sizes",
    "spec_of_given",
    "steps_per_epoch",
    "unaugmented",
    "write_prepared",
]
