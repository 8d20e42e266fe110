"""Features of a dataset of any size, kept as they are made, and files of them."""

from simclr_tf.embeddings.encoding import embed_source
from simclr_tf.embeddings.fingerprint import (
    embedding_digest,
    saved_model_digest,
    weights_digest,
)
from simclr_tf.embeddings.formats import FORMATS, writer_for
from simclr_tf.embeddings.parts import Part, Parts
from simclr_tf.embeddings.table import Block, Table

__all__ = [
    "FORMATS",
    "Block",
    "Part",
    "Parts",
    "Table",
    "embed_source",
    "embedding_digest",
    "saved_model_digest",
    "weights_digest",
    "writer_for",
]
