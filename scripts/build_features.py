"""Compute the bundled features of CIFAR-10's test images.

Usage: ``python scripts/build_features.py --images FILE [--out FOLDER]``. FILE is an npz with ``images``, uint8 of shape
(n, 32, 32, 3), and ``labels``. Without it, torchvision downloads the original test split. The bundled features were
computed from re-encoded images (JPEG). The first 300 images of each class are used, in file order. It needs the extra
``dctutor[pretrained]``; two runs on one machine give the same bytes.
"""

import argparse
import runpy
from pathlib import Path

import numpy as np
import torch

from dctutor.architectures import pretrained_network
from dctutor.datasets._read import SAMPLES

PER_CLASS = 300


def originals(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    from torchvision.datasets import CIFAR10

    found = CIFAR10(str(folder), train=False, download=True)
    return found.data, np.asarray(found.targets)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, help="npz of images and labels; by default torchvision's test split")
    parser.add_argument("--cache", type=Path, default=Path("cifar10"), help="where torchvision's download goes")
    parser.add_argument("--out", type=Path, default=SAMPLES, help="folder to write the features to")
    options = parser.parse_args(arguments)
    if options.images is None:
        images, labels = originals(options.cache)
    else:
        with np.load(options.images) as stored:
            images, labels = stored["images"], stored["labels"]
    rows = np.sort(np.concatenate([np.flatnonzero(labels == label)[:PER_CLASS] for label in range(10)]))
    x = torch.from_numpy(images[rows]).permute(0, 3, 1, 2).reshape(len(rows), -1).float() / 255
    network = pretrained_network("efficientnet-lite0", image_shape=(3, 32, 32), size=112)
    with torch.no_grad():
        features = torch.cat([network(part) for part in x.split(100)])
    path = options.out / "cifar10-features.npz"
    write_npz = runpy.run_path(str(Path(__file__).with_name("build_samples.py")))["write_npz"]
    write_npz(path, {"features": features.numpy().astype(np.float16), "labels": labels[rows].astype(np.uint8)})
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
