"""Images that are like one another: neighbours of a query, and near-duplicates."""

from simclr_tf.search.duplicates import Duplicates, find_duplicates
from simclr_tf.search.groups import Group, similar_groups
from simclr_tf.search.neighbours import Neighbours, nearest, unit_rows
from simclr_tf.search.pixels import pixel_digests
from simclr_tf.search.query_images import images_at, images_of_files
from simclr_tf.search.threshold import SHARE, copy_similarities, threshold_of

__all__ = [
    "SHARE",
    "Duplicates",
    "Group",
    "Neighbours",
    "copy_similarities",
    "find_duplicates",
    "images_at",
    "images_of_files",
    "nearest",
    "pixel_digests",
    "similar_groups",
    "threshold_of",
    "unit_rows",
]
