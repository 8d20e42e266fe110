"""The commands of the command line: their names, what they do, and where they are."""

from __future__ import annotations

from simclr_tf.cli.command import Command

COMMANDS: dict[str, Command] = {
    command.name: command
    for command in (
        Command(
            "pretrain",
            "trains an encoder on unlabelled images",
            "simclr_tf.cli.pretrain",
        ),
        Command(
            "linear_eval",
            "accuracy of a linear classifier on an encoder's frozen features",
            "simclr_tf.cli.linear_eval",
        ),
        Command(
            "knn",
            "accuracy of weighted nearest neighbours on an encoder's features",
            "simclr_tf.cli.knn",
        ),
        Command(
            "finetune",
            "trains an encoder and a classifier on labels, few or many",
            "simclr_tf.cli.finetune",
        ),
        Command(
            "distill",
            "trains a student on the answers of a classifier of finetune",
            "simclr_tf.cli.distill",
        ),
        Command(
            "classify",
            "what a trained classifier takes images for, and how often it is right",
            "simclr_tf.cli.classify",
        ),
        Command(
            "embed",
            "features of a dataset into .npz, .parquet, .csv or .tfrecord",
            "simclr_tf.cli.embed",
        ),
        Command(
            "search",
            "images of a dataset that are like a query, or that occur more than once",
            "simclr_tf.cli.search",
        ),
        Command(
            "convert",
            "published weights, of SimCLR or of PyTorch, as a run folder",
            "simclr_tf.cli.convert",
        ),
        Command(
            "export",
            "encoder or classifier as a SavedModel, .keras, .tflite or .onnx",
            "simclr_tf.cli.export",
        ),
        Command(
            "preview",
            "a picture of what the augmentation makes of your images",
            "simclr_tf.cli.preview",
        ),
        Command(
            "report",
            "a page about a run, or about several side by side",
            "simclr_tf.cli.report",
        ),
        Command(
            "prepare",
            "any images as sharded TFRecord files, for slow formats and disks",
            "simclr_tf.cli.prepare",
        ),
        Command(
            "benchmark",
            "measures this machine's speed, beside stock keras-cv layers",
            "simclr_tf.cli.benchmark",
        ),
        Command(
            "tpu_check",
            "compiles the training step for a TPU, without a TPU",
            "simclr_tf.cli.tpu_check",
        ),
        Command(
            "data_service",
            "makes batches for pretrain --data_service on machines of their own",
            "simclr_tf.cli.data_service",
        ),
    )
}
