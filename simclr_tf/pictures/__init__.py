"""Pictures for people who would rather look than read."""

from simclr_tf.pictures.views import channels_drawn, draw_views, save_figure

__all__ = ["channels_drawn", "draw_views", "save_figure"]
