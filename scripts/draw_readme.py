"""Draw the README's picture from a fit: ``python scripts/draw_readme.py``, two minutes.

Digits stand where t-SNE puts their pixels, and where it puts their codes after DEC; each has the colour of its cluster.
"""

from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from PIL import Image
from sklearn.cluster import KMeans
from sklearn.manifold import TSNE

from dctutor import DEC, load_dataset, load_pretrained
from dctutor.metrics import match_labels, scores

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "book" / "_static" / "digits.png"
SHOWN = 700
# Legible on GitHub's white as on its near-black: at least 3:1 on both.
COLOURS = ("#3f7fd6", "#c98200", "#d03b2b", "#6b8f3a", "#9a5fd0", "#a96b59", "#1f938f", "#d0579c", "#7d8590", "#8a8a2e")


def scatter(ax: Axes, points: np.ndarray, images: np.ndarray, cluster: np.ndarray) -> None:
    """Put each image at its point, in the colour of its cluster."""
    points = (points - points.min(0)) / np.ptp(points, axis=0)
    half = 0.019
    for (x, y), image, k in zip(points, images, cluster, strict=True):
        # The ink is opaque and the ground transparent, so that the page shows through.
        coloured = np.empty((*image.shape, 4))
        coloured[..., :3], coloured[..., 3] = to_rgb(COLOURS[k]), image
        ax.imshow(coloured, extent=(x - half, x + half, y - half, y + half), interpolation="antialiased")
    ax.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal")
    ax.axis("off")


def main() -> None:
    data = load_dataset("mnist-5k")
    dec = DEC(10, autoencoder=load_pretrained("mnist"), epochs=10, random_state=0).fit(data.X)
    kmeans = KMeans(10, n_init=20, random_state=0).fit(data.X)
    chosen = np.random.default_rng(0).permutation(len(data.y))[:SHOWN]
    panels = {"k-means on pixels": (data.X, kmeans.labels_), "DEC": (dec.transform(data.X), dec.labels_)}
    matplotlib.rcParams["font.size"] = 13
    figure, axes = plt.subplots(1, 2, figsize=(9, 4.9), layout="constrained")
    for ax, (name, (features, labels)) in zip(axes, panels.items(), strict=True):
        points = TSNE(random_state=0, init="pca").fit_transform(features[chosen])
        digit = match_labels(data.y, labels)  # one colour for both panels' clusters of ones, of twos, ...
        cluster = np.array([digit[k] for k in labels[chosen].tolist()])
        scatter(ax, points, data.X[chosen].reshape(-1, 28, 28) / data.X.max(), cluster)
        accuracy = scores(data.y, labels)["acc"]
        ax.set_title(f"{name}: {accuracy:.0%} right", color=COLOURS[8])
        print(name, accuracy)
    figure.savefig(PICTURE, dpi=160, transparent=True)
    with Image.open(PICTURE) as drawn:
        drawn.quantize(256, method=Image.Quantize.FASTOCTREE).save(PICTURE, optimize=True)
    print(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
