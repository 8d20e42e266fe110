"""Pictures for people who would rather look than read."""

from simclr_tf.pictures.captioned import Captioned, draw_captioned
from simclr_tf.pictures.confusion import draw_confusion
from simclr_tf.pictures.preview import draw_preview
from simclr_tf.pictures.views import channels_drawn, draw_views, save_figure

__all__ = [
    "Captioned",
    "channels_drawn",
    "draw_captioned",
    "draw_confusion",
    "draw_preview",
    "draw_views",
    "save_figure",
]
