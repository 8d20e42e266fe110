"""A defect is told as that of whoever wrote the line: a part's author, or us."""

import importlib
import itertools
import sys
import textwrap

import pytest
import tensorflow as tf

from simclr_tf.cli.defects import first_raised, place_in_own_part
from simclr_tf.cli.main import main
from simclr_tf.dotted_names import import_dotted

_names = (f"own_part_{count}" for count in itertools.count())


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes a module of the user's own into a folder on the path; gives its name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    written = []

    def write_module(text):
        written.append(next(_names))
        (tmp_path / f"{written[-1]}.py").write_text(textwrap.dedent(text).lstrip())
        importlib.invalidate_caches()
        return written[-1]

    yield write_module
    for name in written:
        sys.modules.pop(name, None)


def _line_of(name, text):
    """Where a text stands in a module, as a defect names it."""
    path = sys.modules[name].__file__
    with open(path) as file:
        (number,) = (n for n, line in enumerate(file, 1) if text in line)
    return f"{path}, line {number}"


_DATASET = """
    def load(argument, split, image_size, labels):
        return [][3]  # here
"""
_FUNCTION = """
    import tensorflow as tf

    def encoder(image_size):
        kernel = tf.zeros([3, 3])
        return kernel @ tf.zeros([2, 2])  # here
"""
_LAYER = """
    import tensorflow as tf

    class Squares(tf.keras.layers.Layer):
        def call(self, images):
            if images.shape[-1] is None:
                return images
            return self.squared(images)

        def squared(self, images):
            return images**2 + self.offset  # here

    class Encoder(tf.keras.Model):
        def __init__(self):
            super().__init__()
            self.squares = Squares()

        def call(self, images):
            return self.squares(images)

    def encoder(image_size):
        return Encoder()
"""


@pytest.mark.parametrize(
    ("part", "command", "error"),
    [
        (_DATASET, "preview --dataset={}:load:any", "IndexError: list index"),
        (_FUNCTION, "export --random --encoder={}:encoder --output=out", "InvalidArg"),
        (_LAYER, "export --random --encoder={}:encoder --output=out", "AttributeError"),
    ],
    ids=["a function", "in TensorFlow", "a layer, by AutoGraph"],
)
def test_a_defect_in_a_part_of_the_users_names_its_line(
    write, capsys, part, command, error
):
    name = write(part)
    assert main(command.format(name).split()) == 1
    told = capsys.readouterr().err
    assert told.startswith("Traceback (most recent call last):")
    assert error in told
    assert told.splitlines()[-1] == (
        f"The error is in {_line_of(name, '# here')}: in a part of your own, named on "
        "the command line, and not in simclr_tf."
    )
    assert "Reporting a defect" not in told


def test_a_defect_of_ours_that_a_part_called_is_ours(write, capsys):
    name = write(
        """
        from simclr_tf.augmentation import parse_views

        def load(argument, split, image_size, labels):
            return parse_views(3, 8)
        """
    )
    assert main(["preview", f"--dataset={name}:load"]) == 1
    told = capsys.readouterr().err
    assert f"{name}.py" in told
    assert 'README, "Reporting a defect"' in told
    assert "a part of your own" not in told


def test_of_an_operation_that_fails_the_line_that_made_it_is_told(write):
    """As of an objective, whose step is traced long before it fails."""
    name = write(
        """
        import tensorflow as tf

        def check(values):
            tf.debugging.assert_less(values, 1.0)
            return tf.strings.to_number(tf.strings.as_string(values) + "no")  # here
        """
    )
    check = import_dotted("method", f"{name}:check")
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        tf.function(check)(tf.constant([0.5]))
    place = place_in_own_part(caught.value, [sys.modules[name]])
    assert str(place) == _line_of(name, "# here")


def _raised_anew():
    try:
        raise ValueError("first")
    except ValueError:
        raise ValueError("in user code:\n\n    ValueError: first") from None


def test_an_error_raised_anew_is_followed_to_the_first():
    with pytest.raises(ValueError, match="in user code") as caught:
        _raised_anew()
    assert str(first_raised(caught.value)) == "first"
