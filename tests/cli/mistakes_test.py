"""A wrong command line is told in one line what is wrong, and what to do instead.

Runs are settings alone, without weights: all of this is told before any is read.
"""

import numpy as np
import pytest
from PIL import Image

from simclr_tf.cli.main import main
from tests import tiny


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder of what a user may have: images, other files, runs of each command."""
    folder = tmp_path_factory.mktemp("mistakes")
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, [60, 16, 16, 3]).astype(np.uint8)
    labels = np.arange(60) % 3
    np.savez(folder / "labelled.npz", x_train=images, y_train=labels)
    np.savez(folder / "bare.npz", x_train=images)
    np.savez(folder / "text.npz", x_train=images, y_train=labels.astype(str))
    four = np.concatenate([images, images[..., :1]], axis=-1)
    np.savez(folder / "four.npz", x_train=four, y_train=labels)
    damaged = np.float32(images / 255.0)
    damaged[3, 2, 1] = np.nan
    np.savez(folder / "nan.npz", x_train=damaged, y_train=labels)
    for number, image in enumerate(images[:12]):
        path = folder / "photos" / ("cat", "dog")[number % 2] / f"{number // 2}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    (folder / "texts").mkdir()
    (folder / "texts" / "table.csv").write_text("name,label\n")
    (folder / "table.csv").write_text("name,label\ncat/1.png,0\n")
    (folder / "cut.npz").write_bytes((folder / "labelled.npz").read_bytes()[:9000])
    (folder / "names.txt").write_text("1.png\n")
    version = "# Settings of simclr_tf 0.1.0, form 1.\n"
    flags = "--dataset=npz:labelled.npz\n"
    for name, lines in {
        "pre": flags,
        "fine": f"# Of simclr finetune.\n--init=pre\n--from_scratch=false\n{flags}",
        "small": f"# Of simclr distill.\n--teacher=fine\n{flags}",
        "older": "--epochs=3\n--gone=1\n",
    }.items():
        (folder / name).mkdir()
        (folder / name / "flags.txt").write_text(version + lines)
    return folder


_DATA = "--dataset=npz:labelled.npz"
_TINY = f"--encoder={tiny.NAME}"
_SCRATCH = f"finetune --from_scratch {_TINY}"
_MISTAKES = [
    # Flags.
    ("pretrain --datset=x", "no flag --datset. Did you mean --dataset?"),
    ("pretrain --batch-size=16", "Did you mean --batch_size?"),
    ("pretrain --lr=0.1", "It is called --learning_rate here."),
    ("finetune --train_epochs=3", "It is called --epochs here."),
    ("knn --data_dir=photos", "It is called --dataset here."),
    ("export --model_dir=pre", "It is called --run here."),
    ("pretrain --dataset", "--dataset needs a value"),
    ("pretrain dataset=photos", "Did you mean --dataset=photos?"),
    ("knn pre", "'pre' is no flag: flags are --name=value. Did you mean --run=pre?"),
    ("pretrain --flagfile=no.txt", "cannot be opened: 'no.txt'"),
    ("pretrain --flagfile=fine/flags.txt", "fine/flags.txt is of simclr finetune"),
    ("pretrain --flagfile fine/flags.txt", "fine/flags.txt is of simclr finetune"),
    ("finetune --flagfile=older/flags.txt", "older/flags.txt is of simclr pretrain"),
    # Values.
    ("pretrain --epochs=ten", "--epochs must be a whole number, got 'ten'."),
    ("pretrain --epochs=1.5", "--epochs must be a whole number, got '1.5'."),
    ("pretrain --minutes=soon", "--minutes must be a number, got 'soon'."),
    ("pretrain --report=maybe", "--report must be true or false, got 'maybe'."),
    ("knn --k=0", "--k must be 1 or more, got '0'."),
    ("report pre --images=-1", "--images must be 0 to "),
    ("pretrain --precision=fp16", "must be one of float32, bfloat16, float16, got"),
    ("pretrain --precision=Float-32", "Did you mean float32?"),
    ("pretrain --optimizer=sdg", "Did you mean sgd?"),
    ("pretrain --strategy=mirored", "Did you mean mirrored?"),
    ("linear_eval --protocol=SGD", "Did you mean sgd?"),
    ("export --run=pre --format=onxx", "Did you mean onnx?"),
    (f"pretrain {_DATA} --method=simCLR", "Did you mean simclr?"),
    (f"pretrain {_DATA} --method=moco", "must be one of simclr, supcon, dcl"),
    (f"pretrain {_DATA} --eval=kn", "Did you mean knn?"),
    (f"pretrain {_DATA} --views=crop|grayscale", "Did you mean gray?"),
    (f"pretrain {_DATA} --views=crop|colorjitter(0.5)", "Did you mean jitter(0.5)?"),
    (f"pretrain {_DATA} --views=crop(0.2,1),flip", 'Did you mean "crop(0.2,1)|flip"?'),
    (f"preview {_DATA} --views=crop|blurr", "Did you mean blur?"),
    (f"pretrain {_DATA} --encoder=vit", "Did you mean vit_tiny16"),
    (f"pretrain {_DATA} --encoder=Resnet-50", "resnet50"),
    (f"pretrain {_DATA} --run=", "--run= names no folder"),
    ("benchmark --parts=veiws", "Did you mean views?"),
    ("tpu_check --topology=v5e", "such as v3:8x8"),
    ("data_service --role=workr", "Did you mean worker?"),
    ("preview --images=0", "--images must be 1 to 200, got '0'."),
    (f"preview {_DATA} --image_size=1000000", "must be 20,000 or less"),
    (
        f"pretrain {_DATA} --data_service=here",
        "--data_service: 'here' is not HOST:PORT",
    ),
    (f"{_SCRATCH} --dataset=npz:text.npz", "the names as array classes."),
    (f"{_SCRATCH} --dataset=npz:nan.npz", "got nan to nan: mend them, or leave out"),
    (f"{_SCRATCH} --dataset=npz:four.npz --channels=3", "give images that fit it."),
    # Data.
    ("pretrain --dataset=photos", "Did you mean folder:photos?"),
    ("preview --dataset=labelled.npz", "Did you mean npz:labelled.npz?"),
    ("prepare --dataset=Folder:photos --output=o", "Did you mean folder:photos?"),
    ("prepare --dataset=nzp:bare.npz --output=o", "Did you mean npz:bare.npz?"),
    ("pretrain --dataset=cifar10", "tfds:cifar10 of TensorFlow Datasets?"),
    ("pretrain --dataset=folder:photo", "photo is no folder"),
    ("pretrain --dataset=folder:table.csv", "table.csv is no folder"),
    ("pretrain --dataset=folder:texts", "holds no images"),
    ("pretrain --dataset=npz:table.csv", "of another kind or was cut short"),
    ("pretrain --dataset=npz:cut.npz", "of another kind or was cut short"),
    ("pretrain --dataset=npz:bare.npz --method=supcon", "has none"),
    (f"{_SCRATCH} --dataset=npz:bare.npz", "has no labels"),
    (_SCRATCH, "Say the labelled images with --dataset."),
    (
        f"{_SCRATCH} --dataset=folder:photos --train_labels=file:names.txt",
        "name them with their folders",
    ),
    (
        f"{_SCRATCH} {_DATA} --train_labels=file:no.txt",
        "no.txt cannot be read as a list of images: No such file or directory.",
    ),
    # Runs.
    (f"pretrain {_DATA} --run=fine", "fine holds a run of simclr finetune"),
    (f"pretrain {_DATA} --run=photos", "photos is not empty and holds no run"),
    (f"pretrain {_DATA} --run=older", "--gone is no setting of simclr_tf"),
    ("knn --run=photos", "photos holds no run"),
    ("knn --run=pre", "pre/flags.txt holds 1 settings"),
    ("linear_eval --run=fine", "name such a run (fine began from pre)"),
    ("embed --run=small --output=h.npz", "(small began from fine)"),
    ("search --run=fine --query_index=0", "where one of simclr pretrain is needed"),
    ("finetune --init=nowhere", "nowhere is neither a run folder"),
    ("finetune --init=pre --run=pre", "simclr finetune --init=pre --run=FOLDER"),
    ("distill --teacher=pre", '"simclr finetune --init=pre --run=FOLDER" makes one'),
    ("distill --teacher=fine --run=fine", '"simclr distill --teacher=fine --run'),
    ("classify", "Name a run of simclr finetune or distill with --run"),
    ("classify --run=pre", '"simclr finetune --init=pre --run=FOLDER" makes one'),
    ("report nowhere", "nowhere holds no run: it is no folder."),
    ("report photos", "photos holds no run"),
    ("convert --run=c", "convert needs --published"),
    ("convert --run=c --published=bare.npz", "holds no ResNet of PyTorch"),
    # Output.
    ("embed --run=pre --output=h.txt", "h.txt must end in one of .npz"),
    ("classify --run=fine --output=a.txt", "--output=a.txt must end in .csv."),
    ("report pre --output=r.pdf", "--output=r.pdf must end in .html or .htm."),
    (f"preview {_DATA} --output=p.pdf", "--output=p.pdf must end in .png."),
    ("prepare --dataset=folder:photos --output=photos", "would be replaced"),
    ("prepare --dataset=folder:photos --output=pre", "would be replaced"),
    ("search --run=pre", "Say what to search for"),
]


@pytest.mark.parametrize(
    ("line", "said"), _MISTAKES, ids=[line for line, _ in _MISTAKES]
)
def test_a_mistake_is_one_line_that_says_what_to_do(
    line, said, place, capsys, monkeypatch
):
    monkeypatch.chdir(place)
    before = _files(place)
    assert main(line.split(" ")) == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert len(told) == 1, told
    assert told[0].startswith("simclr: ")
    assert said in told[0]
    assert _files(place) == before


def _files(folder):
    """What files hold, and which folders there are."""
    return {
        path: path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }
