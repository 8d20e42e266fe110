"""Image files by their content: a format is a file here, and a line in the registry."""

from simclr_tf.data.formats.format import Format
from simclr_tf.data.formats.levels import ValueRange
from simclr_tf.data.formats.registry import FORMATS, HEAD, decode_file, find_format

__all__ = ["FORMATS", "HEAD", "Format", "ValueRange", "decode_file", "find_format"]
