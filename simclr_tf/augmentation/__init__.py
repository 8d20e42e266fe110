"""Views: the paper's augmentations as batched, stateless keras-cv layers."""

from simclr_tf.augmentation.base import StatelessAugmentation, to_unit_range
from simclr_tf.augmentation.center_crop import evaluation_view
from simclr_tf.augmentation.graph_checks import (
    checked_values,
    explain_out_of_range,
    known_in_range,
)
from simclr_tf.augmentation.host_views import views_of_crops_on_host, views_on_host
from simclr_tf.augmentation.own_views import OwnViews, as_augmenter
from simclr_tf.augmentation.random_color_jitter import RandomColorJitter
from simclr_tf.augmentation.random_flip import (
    RandomHorizontalFlip,
    RandomVerticalFlip,
)
from simclr_tf.augmentation.random_gaussian_blur import RandomGaussianBlur
from simclr_tf.augmentation.random_grayscale import RandomGrayscale
from simclr_tf.augmentation.random_quarter_turn import RandomQuarterTurn
from simclr_tf.augmentation.random_resized_crop import RandomResizedCrop
from simclr_tf.augmentation.random_solarize import RandomSolarize
from simclr_tf.augmentation.registry import parse_views
from simclr_tf.augmentation.resize_one import resize_box, resize_crop
from simclr_tf.augmentation.simclr_augmenter import SimCLRAugmenter

__all__ = [
    "OwnViews",
    "RandomColorJitter",
    "RandomGaussianBlur",
    "RandomGrayscale",
    "RandomHorizontalFlip",
    "RandomQuarterTurn",
    "RandomResizedCrop",
    "RandomSolarize",
    "RandomVerticalFlip",
    "SimCLRAugmenter",
    "StatelessAugmentation",
    "as_augmenter",
    "checked_values",
    "evaluation_view",
    "explain_out_of_range",
    "known_in_range",
    "parse_views",
    "resize_box",
    "resize_crop",
    "to_unit_range",
    "views_of_crops_on_host",
    "views_on_host",
]
