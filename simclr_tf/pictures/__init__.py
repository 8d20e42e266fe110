"""Pictures for people who would rather look than read."""

from simclr_tf.pictures.views import draw_views, save_figure

__all__ = ["draw_views", "save_figure"]
