"""What a dotted name names is found, or it is said why not."""

import pytest

from simclr_tf.dotted_names import import_class, import_dotted, is_dotted
from simclr_tf.errors import UserError


def test_a_function_and_a_class_are_found():
    assert import_dotted("encoder", "os.path:join") is __import__("os").path.join
    assert import_class("method", "fractions:Fraction", object).__name__ == "Fraction"
    assert is_dotted("fractions:Fraction")
    assert not is_dotted("simclr")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.at_all:a", "encoder 'nowhere.at_all:a' .* No module named 'nowhere'"),
        ("fractions:Friction", "no attribute 'Friction'.*package.module:function"),
        ("fractions:", "cannot be imported"),
        ("..fractions:Fraction", "cannot be imported: TypeError"),
        ("sys:byteorder", "must be a function, got str"),
    ],
)
def test_what_is_not_there_is_told(name, message):
    with pytest.raises(UserError, match=message):
        import_dotted("encoder", name)


@pytest.mark.parametrize("name", ["fractions:Fraction", "os.path:join"])
def test_what_is_not_derived_from_the_base_is_told(name):
    with pytest.raises(UserError, match="must be a class derived from str, got"):
        import_class("method", name, str)
