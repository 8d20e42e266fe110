"""A batch is a function of (seed, step)."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf import randomness
from simclr_tf.augmentation import (
    RandomResizedCrop,
    SimCLRAugmenter,
    evaluation_view,
)
from simclr_tf.data import (
    DataError,
    Subset,
    cuts_files,
    evaluation_batches,
    load,
    load_train_and_test,
    pretrain_batches,
    preview,
    require_divisible,
    sample,
    steps_per_epoch,
)
from simclr_tf.data.image_files import decode
from tests import sample_images
from tests.data.record_files import make_example, write_images, write_records

pytestmark = pytest.mark.slow

# Colours take their time to compile.
_AUGMENTER = SimCLRAugmenter(16, color_strength=0.0, blur=False)


@pytest.fixture
def npz(tmp_path):
    """43 images that say their own place: pixel (0, 0, 0) is the index."""
    images = np.random.default_rng(0).integers(0, 256, [43, 20, 20, 3], np.uint8)
    images[:, 0, 0, 0] = np.arange(43)
    np.savez(tmp_path / "images.npz", images=images, labels=np.arange(43) % 4)
    return f"npz:{tmp_path / 'images.npz'}"


@pytest.fixture
def folder(photos, tmp_path):
    for name in ("bonsai", "watch"):
        source = photos / "train" / name
        (tmp_path / "photos" / name).mkdir(parents=True)
        for file in sorted(source.iterdir())[:10]:
            shutil.copyfile(file, tmp_path / "photos" / name / file.name)
    return f"folder:{tmp_path / 'photos'}"


@pytest.fixture
def tfrecord(tmp_path):
    """43 PNG images in five files."""
    images = np.random.default_rng(0).integers(0, 256, [43, 20, 20, 3], np.uint8)
    files = [tf.io.encode_png(image).numpy() for image in images]
    for part, places in enumerate(np.array_split(np.arange(43), 5)):
        write_images(
            tmp_path / f"part{part}.tfrecord",
            [files[place] for place in places],
            places % 4,
        )
    return f"tfrecord:{tmp_path}/part*.tfrecord"


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Datasets of 2,400 images of a pixel that says its place, in 1 or 120 files."""
    folder = tmp_path_factory.mktemp("places")
    records = [
        make_example(tf.io.encode_png(np.uint8([[[*divmod(k, 256), 0]]])).numpy())
        for k in range(2400)
    ]
    for count in (1, 120):
        for file, part in enumerate(np.array_split(np.arange(2400), count)):
            write_records(folder / f"of{count}-{file:03d}", [records[k] for k in part])
    return folder


def _take(source, count, **settings):
    settings = {"augmenter": _AUGMENTER, "batch_size": 8, "seed": 3, **settings}
    return list(pretrain_batches(source, **settings).take(count))


def _assert_same(batches, others):
    assert len(batches) == len(others)
    for batch, other in zip(batches, others):
        for name in batch:
            np.testing.assert_array_equal(batch[name], other[name])


@pytest.mark.parametrize(
    ("kind", "augmenter"),
    [
        ("npz", None),
        pytest.param("tfrecord", None, marks=pytest.mark.exhaustive),
        pytest.param("npz", _AUGMENTER, marks=pytest.mark.exhaustive),
        pytest.param("folder", None, marks=pytest.mark.exhaustive),
        pytest.param("shapes", None, marks=pytest.mark.exhaustive),
    ],
)
def test_starting_late_equals_skipping(kind, augmenter, request):
    """To the bit: views, or images and the seeds of their views."""
    spec = kind if kind == "shapes" else request.getfixturevalue(kind)
    source = load(spec, image_size=24)
    whole = _take(source, 9, augmenter=augmenter)
    if augmenter is None:
        _assert_same(whole, _take(source, 9, augmenter=augmenter))
    _assert_same(whole[7:], _take(source, 2, start_step=7, augmenter=augmenter))


def test_an_epoch_holds_each_image_once_and_epochs_differ(npz):
    source = load(npz)
    orders = []
    for first in (0, 5, 10):
        batches = _take(source, 5, start_step=first, augmenter=None)
        labels = [batch["label"] for batch in batches]
        orders.append(tf.concat(labels, axis=0).numpy().tolist())
    assert orders[0] != orders[1] != orders[2]

    # With one batch an epoch, views at known seeds tell which images came.
    batch = _take(source, 1, batch_size=43)[0]
    every = next(iter(source.read(tf.data.Dataset.range(43).batch(43))))
    seeds = randomness.example_seeds(3, 0, every["index"])
    expected = _AUGMENTER.two_views(every["image"], seeds).numpy()
    got = batch["views"].numpy()
    distance = np.abs(got[:, None] - expected[None]).max(axis=(2, 3, 4, 5))
    assert sorted(distance.argmin(axis=1)) == list(range(43))
    assert distance.min(axis=1).max() < 1e-5


@pytest.mark.parametrize(
    ("files", "batch_size"),
    [
        ("of1-*", 24),
        pytest.param("of120-*", 24, marks=pytest.mark.exhaustive),
        pytest.param("of120-*", 600, marks=pytest.mark.exhaustive),
    ],
)
def test_an_epoch_of_records_is_as_good_as_a_permutation(places, files, batch_size):
    """However many files there are, and however much of a file a step has."""
    source = load(f"tfrecord:{places / files}", image_size=1)
    steps = 2400 // batch_size
    seen = np.full([2, 2400], -1)
    for k, batch in enumerate(
        _take(source, 2 * steps, batch_size=batch_size, augmenter=None)
    ):
        pixels = batch["image"].numpy()[:, 0, 0].astype(int)
        seen[k // steps, 256 * pixels[:, 0] + pixels[:, 1]] = k % steps
    assert seen.min() == 0  # Each epoch has each image.

    def at_chance(share):
        return abs(share - 1 / steps) < 4 * np.sqrt(1 / steps / 2400)

    assert abs(np.corrcoef(seen)[0, 1]) < 4 / np.sqrt(2400)
    assert at_chance(np.mean(seen[0] == seen[1]))
    for epoch in seen:
        order = np.corrcoef(epoch, np.arange(2400))[0, 1]
        assert abs(order) < 4 / np.sqrt(2400)
        # Neighbours in a file meet in a step no more often than others.
        assert at_chance(np.mean(epoch[1:] == epoch[:-1]))


@pytest.mark.exhaustive
def test_records_are_read_from_any_step_at_once(places):
    """A million epochs on: nothing is skipped, nothing depends on the files."""
    batches = [
        _take(
            load(f"tfrecord:{places / files}", image_size=1),
            3,
            start_step=10**9,
            augmenter=None,
        )
        for files in ("of1-*", "of120-*")
    ]
    _assert_same(*batches)


@pytest.mark.exhaustive
def test_seeds_and_epochs_change_the_views_of_an_image(npz):
    source = load(npz)
    batches = _take(source, 2, batch_size=43) + _take(source, 1, batch_size=43, seed=4)
    pairs = [{pair.tobytes() for pair in batch["views"].numpy()} for batch in batches]
    assert not pairs[0] & pairs[1]
    assert not pairs[0] & pairs[2]


def test_a_batch_larger_than_the_dataset_is_refused(npz):
    with pytest.raises(DataError, match=r"batch_size is 44 and .* holds 43 images"):
        steps_per_epoch(load(npz), 44)
    with pytest.raises(DataError, match="batch_size must be at least 2"):
        steps_per_epoch(load(npz), 1)


@pytest.mark.parametrize("kind", ["npz", "folder"])
def test_evaluation_sees_every_image_once_in_order(kind, request):
    source = load(request.getfixturevalue(kind), image_size=24)
    batches = list(evaluation_batches(source, batch_size=8, image_size=24))
    images = tf.concat([batch["image"] for batch in batches], axis=0)
    assert images.shape == [len(source), 24, 24, 3]
    if kind == "npz":
        every = next(iter(source.read(tf.data.Dataset.range(len(source)).batch(99))))
        expected = evaluation_view(every["image"], 24)
    else:  # Of the whole file, as the exported model sees it.
        files = [decode(tf.io.read_file(path))[None] for path in source.paths]
        expected = tf.concat([evaluation_view(file, 24) for file in files], axis=0)
    np.testing.assert_allclose(images, expected, atol=1e-6)
    labels = tf.concat([batch["label"] for batch in batches], axis=0)
    np.testing.assert_array_equal(labels, source.labels())


def test_a_sample_is_spread_and_the_same_each_time(npz):
    source = load(npz)
    first, second = (sample(source, 10)["index"].numpy() for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert len(set(first)) == 10
    assert first.tolist() != list(range(10))
    batches = evaluation_batches(source, batch_size=4, image_size=20, sample=10)
    assert sum(batch["image"].shape[0] for batch in batches) == 10
    assert sample(source, 99)["index"].shape == [43]


def test_a_fifth_is_held_out_where_there_is_no_test_split(npz):
    train, test = load_train_and_test(npz)
    assert (len(train), len(test)) == (35, 8)
    places = [
        next(iter(part.read(tf.data.Dataset.range(len(part)).batch(99))))["index"]
        for part in (train, test)
    ]
    assert sorted(np.concatenate(places)) == list(range(43))


def test_a_test_dataset_of_its_own(npz, folder):
    train, test = load_train_and_test(npz, npz)
    assert len(train) == len(test) == 43
    with pytest.raises(DataError, match="different classes"):
        load_train_and_test(npz, folder)


def _shares(source, count, hosts, replicas, **settings):
    """Global batches put together again from what each host makes."""
    per_host = replicas // hosts
    made = []
    for host in range(hosts):
        context = tf.distribute.InputContext(hosts, host, replicas)
        pieces = _take(source, count * per_host, context=context, **settings)
        made.append([pieces[k : k + per_host] for k in range(0, len(pieces), per_host)])
    return [
        tf.nest.map_structure(
            lambda *parts: np.concatenate(parts, axis=0),
            *(piece for host in made for piece in host[step]),
        )
        for step in range(count)
    ]


@pytest.mark.parametrize(
    ("kind", "hosts", "replicas"),
    [
        ("npz", 2, 8),  # Of records `tfds_test.py` has it.
        *(
            pytest.param(kind, hosts, replicas, marks=pytest.mark.exhaustive)
            for kind, hosts, replicas in (
                *(("npz", 1, 4), ("npz", 2, 2), ("npz", 4, 4), ("tfrecord", 2, 8)),
                *(("tfrecord", 1, 4), ("tfrecord", 2, 2), ("tfrecord", 4, 4)),
            )
        ),
    ],
)
def test_hosts_and_replicas_share_the_batches_of_one_device(
    kind, hosts, replicas, request
):
    """Images and seeds to the bit; views are compiled for each size of share."""
    source = load(request.getfixturevalue(kind), image_size=24)
    settings = {"start_step": 3, "augmenter": None}
    whole = _take(source, 7, **settings)
    _assert_same(whole, _shares(source, 7, hosts, replicas, **settings))


def test_replicas_that_cannot_share_a_batch_are_told(npz):
    context = tf.distribute.InputContext(1, 0, 3)
    with pytest.raises(DataError, match=r"3 replicas cannot share.*choose 6 or 9"):
        _take(load(npz), 1, context=context)
    wanted = r"128, which 8 .* in 32 micro batches each: choose 256\."
    with pytest.raises(DataError, match=wanted):
        require_divisible(128, 8, 32)


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", ["folder", "npz"])
def test_a_model_that_augments_is_sent_what_makes_the_same_views(kind, request):
    source = load(request.getfixturevalue(kind), image_size=24)
    augmenter = SimCLRAugmenter(16, color_strength=0.5, blur=False)
    raw = pretrain_batches(source, augmenter, batch_size=8, seed=3, on_device=True)
    for expected, batch in zip(_take(source, 2, augmenter=augmenter), raw):
        if kind == "npz":
            assert batch["image"].dtype == tf.uint8
            views = augmenter.two_views(batch["image"], batch["seeds"])
        else:  # Less to send than the files, and of a static shape.
            assert batch["crops"].dtype == tf.uint8
            assert batch["crops"].shape == [8, 2, 16, 16, 3]
            views = augmenter.views_of_crops(
                batch["crops"], batch["seeds"], batch["size"]
            )
        # Compiled there and not here.
        np.testing.assert_allclose(views, expected["views"], atol=2e-6)


def _crops_by_label(batches):
    """To the bit, where each image's label is its place."""
    crops = {}
    for batch in batches:
        for label, size, crop in zip(*(batch[n] for n in ("label", "size", "crops"))):
            crops[int(label)] = (*size.numpy(), crop.numpy().tobytes())
    return crops


def test_a_crop_is_a_function_of_seed_epoch_and_index(tmp_path):
    """Whatever the batch, and whoever else is in the dataset's part.

    A model that augments makes of crops the views that the host makes of them.
    """
    for k, place in enumerate((3, 0, 2, 1)):
        photo = sample_images.jpeg(sample_images.photo(40 + 9 * k, 60 - 5 * k, k))
        (tmp_path / str(place)).mkdir()
        (tmp_path / str(place) / "a.jpg").write_bytes(photo)
    source = load(f"folder:{tmp_path}", image_size=16)
    epoch, next_epoch = sent = _take(source, 2, batch_size=4, on_device=True)
    crops = _crops_by_label([epoch])
    assert len({crop for _, _, crop in crops.values()}) == 4
    subset = Subset(source, np.array([2, 0, 3]), "train")
    part = _crops_by_label(_take(subset, 1, batch_size=2, on_device=True))
    assert len(part) == 2
    assert part == {place: crops[place] for place in part}
    for label, (_, _, crop) in _crops_by_label([next_epoch]).items():
        assert crops[label][2] != crop

    made = pretrain_batches(source, _AUGMENTER, batch_size=4, seed=3)
    # Shapes are static.
    assert made.element_spec["views"].shape == [4, 2, 16, 16, 3]
    assert made.element_spec["label"].shape == [4]
    for expected, batch in zip(made, sent):
        assert batch["crops"].dtype == tf.uint8
        assert batch["crops"].shape == [4, 2, 16, 16, 3]
        views = _AUGMENTER.views_of_crops(batch["crops"], batch["seeds"], batch["size"])
        # Compiled there and not here.
        np.testing.assert_allclose(views, expected["views"], atol=2e-6)


def test_an_image_is_cropped_whole_where_the_first_layer_is_not_a_plain_crop(folder):
    class Shifted(RandomResizedCrop):
        def augment_images(self, images, transformations, **_):
            return super().augment_images(images[:, ::-1], transformations)

    augmenter = SimCLRAugmenter(16, layers=[Shifted(16)])
    source = load(folder, image_size=24)
    assert not cuts_files(source, augmenter)
    assert cuts_files(source, SimCLRAugmenter(16))
    (batch,) = _take(source, 1, augmenter=augmenter, on_device=True)
    assert batch["image"].shape == [8, 36, 36, 3]


@pytest.mark.exhaustive
def test_a_preview_shows_what_training_and_evaluation_see(tmp_path):
    for k in range(3):
        photo = sample_images.jpeg(sample_images.photo(50 + 9 * k, 170, k))
        (tmp_path / f"{k}.jpg").write_bytes(photo)
    source = load(f"folder:{tmp_path}", image_size=16)
    images, views = preview(source, _AUGMENTER, 3, seed=3, epochs=2)
    (batch,) = evaluation_batches(source, batch_size=3, image_size=16)
    np.testing.assert_array_equal(images, batch["image"])
    batches = _take(source, 2, batch_size=3)
    trained = [pair for batch in batches for pair in batch["views"].numpy()]
    shown = views.numpy().reshape([3, 2, 2, 16, 16, 3])
    for epoch in range(2):
        for pair in trained[3 * epoch : 3 * epoch + 3]:
            apart = [np.abs(shown[k, epoch] - pair).max() for k in range(3)]
            assert min(apart) < 2e-6  # Compiled there and not here.


@pytest.mark.exhaustive
def test_a_sample_names_the_image_that_cannot_be_read(tmp_path):
    for index in range(3):
        png = tf.io.encode_png(tf.zeros([9, 9, 3], tf.uint8))
        tf.io.write_file(str(tmp_path / f"{index}.png"), png)
    source = load(f"folder:{tmp_path}", image_size=16)
    (tmp_path / "1.png").unlink()
    with pytest.raises(DataError, match=r"1\.png .it is gone"):
        sample(source, 3)
