"""Folders of real and hostile files."""

import contextlib
import os
import pathlib
import shutil
import signal
import tempfile
import time

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from simclr_tf.data import DataError, MissingSplit, file_checks, load
from simclr_tf.data.image_files import decode

pytestmark = pytest.mark.slow


@pytest.fixture
def photos(photos, tmp_path):
    """Two classes of six photographs each, one folder deeper than needed."""
    for name in ("bonsai", "watch"):
        folder = tmp_path / "photos" / name / "deeper"
        folder.mkdir(parents=True)
        files = sorted((photos / "train" / name).iterdir())
        for file in files[:6]:
            shutil.copyfile(file, folder / file.name)
    return tmp_path / "photos"


def _read(source, places):
    indices = tf.data.Dataset.from_tensor_slices(tf.constant(places, tf.int64))
    # Batches of a known size are read at half the cost.
    batches = indices.batch(len(places), drop_remainder=True)
    return next(iter(source.read(batches)))


def _decoded(source):
    """The images, each decoded outside of a pipeline, which takes seconds to make."""
    return [decode(tf.io.read_file(path)) for path in source.paths]


def test_subfolders_become_labels(photos):
    source = load(f"folder:{photos}", image_size=64)
    assert len(source) == 12
    assert source.image_shape == (96, 96, 3)
    assert source.class_names == ["bonsai", "watch"]
    batch = _read(source, [0, 11, 5])
    np.testing.assert_array_equal(batch["label"], [0, 1, 0])
    assert batch["image"].shape == [3, 96, 96, 3]
    for place, size in zip([0, 11, 5], batch["size"].numpy()):
        with Image.open(source.paths[place]) as image:
            assert tuple(size) == (image.height, image.width)


def test_labels_are_left_out_when_not_asked_for_or_not_there(photos):
    assert load(f"folder:{photos}", labels=False).num_classes is None
    assert load(f"folder:{photos / 'watch'}").num_classes is None


def test_files_beside_the_classes_are_unlabelled(photos):
    shutil.copyfile(next((photos / "watch" / "deeper").iterdir()), photos / "a.jpg")
    source = load(f"folder:{photos}")
    assert source.labels()[source.paths.index(str(photos / "a.jpg"))] == -1
    assert sorted(source.labels()) == [-1] + [0] * 6 + [1] * 6


def test_a_batch_is_the_same_however_it_is_asked_for(photos):
    source = load(f"folder:{photos}", image_size=64)
    whole = next(iter(source.read(tf.data.Dataset.range(12).batch(12))))
    batches = tf.data.Dataset.range(12).batch(4, drop_remainder=True)
    parts = list(source.read(batches))
    assert [part["image"].shape[0] for part in parts] == [4, 4, 4]
    joined = tf.concat([part["image"] for part in parts], axis=0)
    np.testing.assert_array_equal(whole["image"], joined)


def test_split_folders(photos, tmp_path):
    root = tmp_path / "both"
    shutil.copytree(photos, root / "train")
    shutil.copytree(photos / "watch", root / "val" / "watch")
    assert len(load(f"folder:{root}")) == 12
    assert len(load(f"folder:{root}", "test")) == 6
    with pytest.raises(MissingSplit, match="no subfolder test"):
        load(f"folder:{photos}", "test")


def _picture(height=20, width=30):
    return np.random.default_rng(0).integers(0, 256, [height, width, 3], np.uint8)


def test_files_of_every_kind(tmp_path):
    rgb = Image.fromarray(_picture())
    rgb.save(tmp_path / "rgb.png")
    rgb.save(tmp_path / "rgb.bmp")
    rgb.save(tmp_path / "UPPER.JPG")
    rgb.save(tmp_path / "rgb.gif")
    rgb.save(tmp_path / "frames.gif", save_all=True, append_images=[rgb.rotate(180)])
    rgb.convert("L").save(tmp_path / "grey.png")
    rgb.convert("L").save(tmp_path / "grey.jpg")
    rgb.convert("L").save(tmp_path / "grey_alpha.png")
    rgb.convert("RGBA").save(tmp_path / "rgba.png")
    rgb.convert("RGBA").save(tmp_path / "rgba.bmp")
    rgb.convert("P").save(tmp_path / "palette.png")
    rgb.convert("CMYK").save(tmp_path / "cmyk.jpg")
    deep = Image.fromarray(_picture()[..., 0].astype(np.uint16) * 257)
    deep.save(tmp_path / "deep.png")
    source = load(f"folder:{tmp_path}", image_size=64)
    assert source.skipped == {}
    assert len(source) == 13
    batch = _read(source, range(13))
    np.testing.assert_array_equal(batch["size"], [[20, 30]] * 13)


@pytest.mark.parametrize("name", ["rgb.png", "rgb.bmp", "rgba.png"])
def test_lossless_files_keep_their_pixels(tmp_path, name):
    image = Image.fromarray(_picture())
    image.convert("RGBA" if "rgba" in name else "RGB").save(tmp_path / name)
    got = decode((tmp_path / name).read_bytes())
    np.testing.assert_array_equal(got, _picture())


def test_grey_and_16_bit_files_become_rgb(tmp_path):
    grey = _picture()[..., 0]
    Image.fromarray(grey).save(tmp_path / "grey.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    for name in ("grey.png", "deep.png"):
        got = decode((tmp_path / name).read_bytes())
        np.testing.assert_array_equal(got, np.repeat(grey[..., None], 3, -1))


def test_bad_files_are_passed_over_counted_and_named(photos, capsys):
    good = sorted((photos / "bonsai" / "deeper").iterdir())
    for place in range(30):
        shutil.copyfile(good[0], photos / "bonsai" / f"copy{place}.jpg")
    (photos / "watch" / "text.jpg").write_text("not a picture")
    (photos / "watch" / "empty.png").write_bytes(b"")
    cut = good[0].read_bytes()[:200]
    (photos / "watch" / "cut.jpg").write_bytes(cut)
    (photos / "watch" / "modern.webp").write_bytes(b"RIFF")
    (photos / "watch" / ".hidden.jpg").write_text("not looked at")
    source = load(f"folder:{photos}", image_size=64)
    assert len(source) == 42
    names = {pathlib.Path(path).name for path in source.skipped}
    assert names == {"text.jpg", "empty.png", "cut.jpg", "modern.webp"}
    said = capsys.readouterr().err
    assert "passed over 1 .webp" in said
    assert "passed over 3 of 45 images that cannot be read" in said
    assert "text.jpg" in said
    assert all(image.shape[-1] == 3 for image in _decoded(source))


def test_too_many_bad_files_are_an_error(photos):
    for place in range(3):
        (photos / f"text{place}.jpg").write_text("not a picture")
    with pytest.raises(DataError, match=r"3 of 15 images cannot be read.*text0\.jpg"):
        load(f"folder:{photos}")


def test_folders_without_images(tmp_path):
    with pytest.raises(DataError, match="is no folder"):
        load(f"folder:{tmp_path / 'nothing'}")
    with pytest.raises(DataError, match=r"holds no images \(jpg, jpeg, png"):
        load(f"folder:{tmp_path}")
    (tmp_path / "a.webp").write_bytes(b"RIFF")
    with pytest.raises(DataError, match=r"it holds 1 \.webp"):
        load(f"folder:{tmp_path}")


def _save(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(_picture()).save(path)


def test_names_in_any_language_and_with_any_sign(tmp_path):
    names = ["kätzchen/ü ß.png", "犬/a[1]*?{b}.png", "犬/写真😀.png"]
    for name in names:
        _save(tmp_path / name)
    source = load(f"folder:{tmp_path}/", image_size=16)
    assert source.class_names == ["kätzchen", "犬"]
    assert {str(pathlib.Path(p).relative_to(tmp_path)) for p in source.paths} == {
        *names
    }
    np.testing.assert_array_equal(source.labels(), [0, 1, 1])
    assert [image.shape for image in _decoded(source)] == [[20, 30, 3]] * 3


def test_a_name_that_is_not_utf8_is_told(tmp_path):
    _save(tmp_path / "good.png")
    try:
        (tmp_path / "good.png").rename(os.fsdecode(bytes(tmp_path) + b"/caf\xe9.png"))
    except OSError:
        pytest.skip("this file system takes UTF-8 alone")
    with pytest.raises(DataError, match=r"caf\\xe9\.png.*not UTF-8: rename it"):
        load(f"folder:{tmp_path}")


def test_hidden_files_and_folders_are_not_looked_at(tmp_path, capsys):
    _save(tmp_path / ".hidden" / "a" / "in.png")
    _save(tmp_path / "cat" / "seen.png")
    _save(tmp_path / "cat" / ".cache" / "in.png")
    (tmp_path / "cat" / "._seen.png").write_bytes(b"resource fork")
    (tmp_path / ".DS_Store").write_bytes(b"")
    source = load(f"folder:{tmp_path}")
    assert source.paths == [str(tmp_path / "cat" / "seen.png")]
    assert source.skipped == {}
    assert capsys.readouterr().err == ""


def test_a_hidden_folder_can_itself_be_named(tmp_path):
    _save(tmp_path / ".cache" / "a" / "x.png")
    _save(tmp_path / ".cache" / "b" / "x.png")
    assert load(f"folder:{tmp_path / '.cache'}").class_names == ["a", "b"]


def test_a_folder_may_be_relative(tmp_path, monkeypatch):
    _save(tmp_path / "photos" / "a" / "x.png")
    _save(tmp_path / "photos" / "b" / "c" / "x.png")
    monkeypatch.chdir(tmp_path / "photos")
    for name in (".", "../photos"):
        source = load(f"folder:{name}", image_size=16)
        assert source.class_names == ["a", "b"]
        np.testing.assert_array_equal(source.labels(), [0, 1])
        assert len(_decoded(source)) == 2


def test_a_wrong_extension_does_not_matter(tmp_path):
    _save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    _save(tmp_path / "b.bmp")
    (tmp_path / "b.bmp").rename(tmp_path / "b.GIF")
    source = load(f"folder:{tmp_path}", image_size=16)
    assert source.skipped == {}
    np.testing.assert_array_equal(*_decoded(source))


@pytest.mark.parametrize(("good", "is_error"), [(8, True), (9, False)])
def test_more_than_a_tenth_unreadable_is_an_error(tmp_path, good, is_error):
    for place in range(good):
        _save(tmp_path / f"{place}.png")
    (tmp_path / "bad.png").write_bytes((tmp_path / "0.png").read_bytes()[:99])
    if is_error:
        with pytest.raises(DataError, match="1 of 9 images cannot be read"):
            load(f"folder:{tmp_path}")
    else:
        source = load(f"folder:{tmp_path}")
        assert len(source) == 9
        reason = source.skipped[str(tmp_path / "bad.png")]
        assert "PNG" in reason
        assert "{" not in reason


def test_a_class_of_unreadable_images_alone_is_no_class(tmp_path):
    for name in ("ant", "bee", "cat"):
        for place in range(10):
            _save(tmp_path / name / f"{place}.png")
    (tmp_path / "aaa").mkdir()
    (tmp_path / "aaa" / "bad.png").write_bytes(b"")
    source = load(f"folder:{tmp_path}", image_size=16)
    assert source.class_names == ["ant", "bee", "cat"]
    np.testing.assert_array_equal(source.labels(), np.repeat([0, 1, 2], 10))


def test_test_images_are_no_training_images(tmp_path):
    _save(tmp_path / "val" / "a.png")
    _save(tmp_path / "b.png")
    assert len(load(f"folder:{tmp_path}", "test")) == 1
    with pytest.raises(DataError, match=r"no subfolder train\. Put .* folder:.*val"):
        load(f"folder:{tmp_path}")


def test_classes_beside_a_folder_named_train_are_told(tmp_path, capsys):
    for name in ("bus", "car", "train"):
        _save(tmp_path / name / "a.png")
    load(f"folder:{tmp_path}")
    assert "train is the split; passed over the subfolders bus, car." in (
        capsys.readouterr().err
    )
    for name in ("bus", "car"):
        shutil.rmtree(tmp_path / name)
    _save(tmp_path / "test" / "a.png")
    load(f"folder:{tmp_path}")
    assert capsys.readouterr().err == ""


def test_links_to_folders_are_followed_and_never_in_circles(tmp_path):
    _save(tmp_path / "elsewhere" / "x.png")
    _save(tmp_path / "photos" / "cat" / "x.png")
    _save(tmp_path / "photos" / "dog" / "deep" / "x.png")
    (tmp_path / "photos" / "ant").symlink_to(tmp_path / "elsewhere")
    for number in range(4):
        circle = tmp_path / "photos" / "dog" / "deep" / f"circle{number}"
        circle.symlink_to(tmp_path / "photos")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "photos" / "ant")
    source = load(f"folder:{tmp_path / 'photos'}", image_size=16)
    photos = tmp_path / "photos"
    assert source.paths == [
        str(photos / name) for name in ("ant/x.png", "cat/x.png", "dog/deep/x.png")
    ]
    assert source.class_names == ["ant", "cat", "dog"]
    assert len(_decoded(source)) == 3


def test_a_photograph_cut_short_and_a_dead_link_are_passed_over(photos):
    good = sorted((photos / "bonsai" / "deeper").iterdir())
    for place in range(12):
        shutil.copyfile(good[0], photos / "bonsai" / f"copy{place}.jpg")
    whole = good[1].read_bytes()
    (photos / "watch" / "cut.jpg").write_bytes(whole[: int(0.7 * len(whole))])
    (photos / "watch" / "dead.jpg").symlink_to(photos / "nowhere.jpg")
    source = load(f"folder:{photos}", image_size=64)
    assert len(source) == 24
    assert {pathlib.Path(path).name for path in source.skipped} == {
        "cut.jpg",
        "dead.jpg",
    }


def test_a_pipe_and_a_device_are_passed_over_and_named(tmp_path, capsys):
    _save(tmp_path / "a.png")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "zero.jpg").symlink_to("/dev/zero")
    (tmp_path / "circle.jpg").symlink_to(tmp_path / "circle.jpg")
    for place in range(9):
        _save(tmp_path / f"{place}.png")
    (tmp_path / "folder.jpg").mkdir()
    _save(tmp_path / "folder.jpg" / "inside.png")
    source = load(f"folder:{tmp_path}", image_size=16)
    assert len(source) == 11
    said = capsys.readouterr().err
    assert "pipe.jpg (it is a named pipe); " in said
    assert "zero.jpg (it is a device)." in said
    assert set(source.skipped) == {
        str(tmp_path / name) for name in ("pipe.jpg", "zero.jpg", "circle.jpg")
    }
    with pytest.raises(DataError, match="is no folder"):
        load("folder:/dev/zero")


def test_a_folder_of_pipes_alone_holds_no_images(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(DataError, match="holds no images"):
        load(f"folder:{tmp_path}")


def test_claims_of_huge_pictures_are_passed_over(tmp_path, monkeypatch):
    for place in range(30):
        _save(tmp_path / f"{place}.png")
    Image.fromarray(_picture()).save(tmp_path / "canvas.gif")
    gif = bytearray((tmp_path / "canvas.gif").read_bytes())
    gif[6:10] = b"\xff\xff\xff\xff"
    (tmp_path / "canvas.gif").write_bytes(gif)
    frame = gif.index(b",", 13 + 3 * 256 if gif[10] >= 128 else 13)
    gif[frame + 5 : frame + 9] = b"\xff\xff\xff\xff"
    gif[6:10] = b"\x10\x00\x10\x00"
    (tmp_path / "frame.gif").write_bytes(gif)
    with open(tmp_path / "video.jpg", "wb") as file:
        file.truncate(2**40)  # takes no room on the disk
    source = load(f"folder:{tmp_path}", image_size=16)
    faults = {pathlib.Path(path).name: why for path, why in source.skipped.items()}
    assert set(faults) == {"canvas.gif", "frame.gif", "video.jpg"}
    assert "the header claims 65535 x 65535 pixels" in faults["canvas.gif"]
    assert "its frames claim 4,294,836,225 pixels" in faults["frame.gif"]
    assert "it is of 1,099,511,627,776 bytes" in faults["video.jpg"]


def test_escape_sequences_in_names_do_not_reach_the_terminal(tmp_path, capsys):
    for place in range(20):
        _save(tmp_path / f"{place}.png")
    name = "\x1b]0;title\x07\nnext.jpg"
    (tmp_path / name).write_bytes(b"no picture")
    os.mkfifo(tmp_path / f"p{name}")
    load(f"folder:{tmp_path}", image_size=16)
    said = capsys.readouterr().err
    assert said.count("\\x1b]0;title\\x07\\nnext.jpg") == 2
    assert said.count("\n") == 2
    assert "\x1b" not in said


@pytest.fixture
def another_user():
    """A folder, and the rights of a user who does not own what root makes in it."""
    folder = pathlib.Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder, contextlib.nullcontext if os.geteuid() else _as_nobody
    shutil.rmtree(folder)


@contextlib.contextmanager
def _as_nobody():
    os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_files_and_folders_that_may_not_be_read_are_told(another_user):
    folder, user = another_user
    for place in range(10):
        _save(folder / f"{place}.png")
    (folder / "0.png").chmod(0)
    with user():
        source = load(f"folder:{folder}", image_size=16)
    assert source.skipped == {
        str(folder / "0.png"): f"{folder / '0.png'}; Permission denied"
    }
    _save(folder / "secret" / "x.png")
    (folder / "secret").chmod(0)
    with user(), pytest.raises(DataError, match=r"cannot be listed: .*secret; Permis"):
        load(f"folder:{folder}", image_size=16)
    (folder / "secret").chmod(0o755)


def test_a_folder_that_is_not_utf8_beside_the_splits_is_told(tmp_path):
    _save(tmp_path / "train" / "a.png")
    try:
        os.mkdir(bytes(tmp_path) + b"/caf\xe9")
    except OSError:
        pytest.skip("this file system takes UTF-8 alone")
    with pytest.raises(DataError, match=r"caf\\xe9.*not UTF-8: rename it"):
        load(f"folder:{tmp_path}")


def test_ctrl_c_does_not_wait_for_the_files_left(tmp_path, monkeypatch):
    for place in range(200):
        _save(tmp_path / f"{place}.png")
    checked = []

    def look(file):
        checked.append(file)
        if len(checked) == 20:
            signal.raise_signal(signal.SIGINT)
        time.sleep(0.02)
        return file_checks.Look("", None, None)

    monkeypatch.setattr("simclr_tf.data.folder.look_at", look)
    # A process in the background of a shell without job control ignores the signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            load(f"folder:{tmp_path}")
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(checked) < 150


def test_its_identity_is_of_names_and_sizes_wherever_it_lies(tmp_path):
    for name in ("one", "two"):
        _save(tmp_path / name / "a" / "x.png")
        _save(tmp_path / name / "b" / "y.png")
    one, two = (load(f"folder:{tmp_path / name}") for name in ("one", "two"))
    assert one.fingerprint() == two.fingerprint()
    assert load(f"folder:{tmp_path / 'one'}", labels=False).identity()
    Image.fromarray(_picture(30, 21)).save(tmp_path / "two" / "b" / "y.png")
    assert load(f"folder:{tmp_path / 'two'}").fingerprint() != one.fingerprint()
    (tmp_path / "one" / "b" / "y.png").rename(tmp_path / "one" / "b" / "z.png")
    assert load(f"folder:{tmp_path / 'one'}").fingerprint() != one.fingerprint()
