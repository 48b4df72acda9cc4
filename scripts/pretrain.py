"""Train the autoencoders that come with the package, and that the chapters start from.

Usage: ``python scripts/pretrain.py mnist [--out FOLDER]``. Two runs on one machine give the same weights. The file
keeps what it takes to repeat the run: data, settings, versions and time. No label is seen, and nothing is selected: the
only seed is 0, the weights are those after the last epoch.
"""

import argparse
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from dctutor import load_dataset
from dctutor.architectures import pretrained
from dctutor.devices import processor
from dctutor.methods import AutoencoderKMeans
from dctutor.storage import write_file

SETTINGS: dict[str, Any] = {
    "layerwise_epochs": 0,
    "pretrain_epochs": 24,
    "noise": 0.0,
    "pretrain_learning_rate": 2e-3,
    "pretrain_weight_decay": 0.03,
    "weight_init": "pytorch",
    "random_state": 0,
}
AUGMENT = {"rotation": 10.0, "shift": 0.1}
STARTS: dict[str, tuple[str, dict[str, Any]]] = {
    "mnist": ("mnist", {}),
    "mnist-augmented": ("mnist", {"augment": AUGMENT}),  # not bundled: not yet shown to be better
    "fashion": ("fashion", {"pretrain_epochs": 12}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=STARTS)
    parser.add_argument("--out", type=Path, default=pretrained._WEIGHTS, help="folder to write the weights to")
    options = parser.parse_args()
    dataset, more = STARTS[options.name]
    settings = {**SETTINGS, **more}
    path = options.out / f"{options.name}.safetensors"
    data = load_dataset(dataset)
    model = AutoencoderKMeans(**settings, image_shape=data.image_shape, checkpoint=path.with_suffix(".checkpoint"))
    model.fit(data.X)
    facts = {
        "n_features": model.n_features_in_,
        "widths": list(model.widths),
        "dataset": dataset,
        "settings": settings,
        "factor": model.scaling_.factor,
        "history": model.history_["pretrain"],
        "seconds": round(model.seconds_, 1),
        "versions": {"python": platform.python_version(), **{n: version(n) for n in ("dctutor", "torch")}},
        "processor": processor(torch.device("cpu")),
        "command": f"python scripts/pretrain.py {options.name}",
    }
    state = model.network_.state_dict()
    write_file(path, {name: value.half() for name, value in state.items()}, facts)
    path.with_suffix(".checkpoint").unlink()
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB after {model.seconds_:.0f} s")


if __name__ == "__main__":
    main()
