"""`simclr search` as a user types it."""

import json

import numpy as np
import pytest
from PIL import Image

from simclr_tf.cli.main import main
from simclr_tf.embeddings import encoding
from tests import sample_images, tiny

pytestmark = pytest.mark.slow


@pytest.fixture
def photos(tmp_path):
    """Eight photographs of two classes, and a copy of one."""
    folder = tmp_path / "photos"
    for number in range(8):
        path = folder / "ab"[number % 2] / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sample_images.jpeg(sample_images.photo(60, 70, number)))
    copy = (folder / "a" / "0.jpg").read_bytes()
    (folder / "b" / "copy [1]$x$.jpg").write_bytes(copy)
    return folder


@pytest.fixture
def search(photos, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SIMCLR_TF_CACHE", str(tmp_path / "cache"))
    flags = ["--random", f"--encoder={tiny.NAME}", "--image_size=32"]
    flags += [f"--dataset=folder:{photos}"]
    return lambda *more: main(["search", *flags, *more])


@pytest.fixture
def encoded(monkeypatch):
    """How many images each batch has that is encoded for the dataset's features."""
    counts = []
    embed = encoding.encode_batches

    def noting(*arguments):
        for features, labels in embed(*arguments):
            counts.append(len(features))
            yield features, labels

    monkeypatch.setattr(encoding, "encode_batches", noting)
    return counts


def test_neighbours_are_listed_drawn_and_written(
    search, photos, encoded, capsys, tmp_path
):
    query = f"--query={photos / 'a' / '0.jpg'}"
    assert search(query, "--k=3") == 0
    shown = capsys.readouterr().out
    # The query itself is none of its neighbours, and its copy is the first.
    assert "0.jpg:\n  1.0000  " in shown
    assert "copy [1]$x$.jpg (b)\n" in shown
    with Image.open("search.png") as picture:
        assert np.asarray(picture.convert("RGB")).std() > 20
    assert search(query, "--query_index=1", "--k=3", "--output=found.json") == 0
    assert "The features are those kept in" in capsys.readouterr().out
    assert encoded == [9]
    found = json.loads((tmp_path / "found.json").read_text())
    first, second = found["queries"]
    assert [len(query["neighbours"]) for query in (first, second)] == [3, 3]
    copy = first["neighbours"][0]
    assert copy["path"] == str(photos / "b" / "copy [1]$x$.jpg")
    assert (copy["class"], copy["label"]) == ("b", 1)
    assert copy["similarity"] == pytest.approx(1.0, abs=1e-4)
    assert second["query"] == "image 1"
    assert all(near["index"] != 1 for near in second["neighbours"])


def test_duplicates_are_listed_with_what_makes_them_so(search, photos, capsys):
    assert search("--duplicates", "--threshold=0.9999", "--output=found.json") == 0
    shown = capsys.readouterr().out
    assert "Threshold 0.9999: as --threshold says." in shown
    assert "2 of 9 images (22.2%) have another one as similar, in 1 groups" in shown
    assert "That is a lot" in shown
    assert "copy [1]$x$.jpg (b)  the same pixels as above" in shown
    with open("found.json") as file:
        found = json.load(file)
    (group,) = found["groups"]
    assert group[1]["same_pixels_as"] == group[0]["index"]
    assert "same_pixels_as" not in group[0]
    assert search("--duplicates") == 0
    assert "95% of altered copies of 9 images" in capsys.readouterr().out
    with Image.open("search.png") as picture:
        assert np.asarray(picture.convert("RGB")).std() > 20


def test_features_are_made_again_when_something_changed(
    search, photos, encoded, tmp_path
):
    query = [f"--query={photos / 'a' / '0.jpg'}", "--output=found.json"]
    assert search(*query) == 0
    assert encoded == [9]
    (photos / "a" / "2.jpg").write_bytes(
        sample_images.jpeg(sample_images.photo(50, 50))
    )
    assert search(*query) == 0
    assert encoded == [9, 9]
    # The old ones are gone.
    assert len(list((tmp_path / "cache").glob("embeddings-*"))) == 1
    assert search(*query, "--nocache") == 0
    assert encoded == [9, 9, 9]
    assert len(list((tmp_path / "cache").glob("embeddings-*"))) == 1


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        ([], "Say what to search for: --query=IMAGE"),
        (["--query=a", "--duplicates"], "Say what to search for"),
        (["--query=nowhere.jpg"], "--query=nowhere.jpg cannot be read as an image"),
        (
            ["--query_index=9"],
            "--query_index=9 is none of the dataset's images, 0 to 8",
        ),
        (["--duplicates", "--threshold=1.5"], "--threshold must be above 0"),
        (["--query=a", "--threshold=0.9"], "--threshold is for --duplicates"),
        (["--duplicates", "--output=a.txt"], "must end in .png or .json"),
    ],
)
def test_mistakes_are_told(search, capsys, flags, wanted):
    assert search(*flags) == 2
    assert wanted in capsys.readouterr().err
