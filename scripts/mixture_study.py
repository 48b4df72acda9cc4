"""The clustering module beside mixtures and k-means: ``python scripts/mixture_study.py [--seeds 20] [--out FILE]``.

One row of CSV a fit (data set, start, prior and seed), and one for the best seed by its loss: how far the module's
clusters are from those of the mixture it trains, of scikit-learn's spherical mixture and of k-means. The chapter
``notebooks/mixture/clustering_module.ipynb`` has the means. What the file has already is kept. With ``--mnist`` it
scores that mixture on all of MNIST.
"""

import argparse
import csv
import itertools
import warnings
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import entr
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits, load_iris, load_wine, make_blobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler

from dctutor import ClusteringModule, load_dataset, losses
from dctutor.classical.mixtures import SphericalMixture, spherical_mixture
from dctutor.metrics import scores

ROOT = Path(__file__).resolve().parent.parent
Array = NDArray[np.floating]


def groups(sizes: list[int], widths: list[float], apart: float) -> tuple[Array, Array]:
    """Round groups in the plane, their centres evenly on a circle."""
    angle = 2 * np.pi * np.arange(len(sizes)) / len(sizes)
    centers = apart * np.column_stack([np.cos(angle), np.sin(angle)])
    return make_blobs(sizes, centers=centers, cluster_std=widths, random_state=0)


def data_sets() -> dict[str, tuple[Array, Array, dict[str, Any]]]:
    """Samples, classes, and how the module is trained on them: 400 steps on all samples at once."""
    small = {"batch_size": 1000, "epochs": 400, "learning_rate": 0.5}
    wine, digits, mnist = load_wine(), load_digits(), load_dataset("mnist-5k")
    return {
        "separated": (*groups([50] * 4, [0.5] * 4, 4), small),
        "overlapping": (*groups([50] * 4, [1.5] * 4, 3), small),
        "iris": (*load_iris(return_X_y=True), small),
        "wine": (StandardScaler().fit_transform(wine.data), wine.target, small | {"learning_rate": 0.1}),
        "digits": (digits.data[:600], digits.target[:600], small | {"learning_rate": 0.05}),
        "mnist": (mnist.X[:600], mnist.y[:600], small | {"learning_rate": 0.02}),
        "unequal spread": (*groups([100, 100, 100], [0.4, 0.4, 2.0], 3), small),
        "unequal size": (*groups([250, 30, 20], [0.8] * 3, 2.5), small),
    }


def starts(x: Array, n_clusters: int, init: str, seed: int) -> Array:
    """Centroids to start a mixture from: one pass of k-means, after k-means++ or from samples drawn at random."""
    how = "k-means++" if init == "pre" else "random"
    return KMeans(n_clusters, init=how, n_init=1, max_iter=1, random_state=seed).fit(x).cluster_centers_


def entropy(gamma: Array) -> float:
    """Mean entropy of rows of probabilities, in nats."""
    return entr(gamma).sum(1).mean()


def compare(
    x: Array, y: Array, settings: dict[str, Any], init: Literal["rand", "pre"], alpha: float, seed: int
) -> tuple[dict[str, float], ClusteringModule, SphericalMixture]:
    """Fit all to one data set; what came of it, the module and the mixture from a start of its own."""
    n_clusters = len(np.unique(y))
    module = ClusteringModule(n_clusters, init=init, alpha=alpha, **settings, random_state=seed, verbose=False).fit(x)
    z, gamma = module.transform(x).astype(float), module.predict_proba(x).astype(float)
    begin = starts(z, n_clusters, init, seed)
    alone = spherical_mixture(z, begin, alpha=alpha)
    after = spherical_mixture(z, module.cluster_centers_, alpha=alpha)
    spherical = GaussianMixture(n_clusters, covariance_type="spherical", means_init=begin, random_state=seed).fit(z)
    means = KMeans(n_clusters, init=begin, n_init=1).fit(z)
    centers = torch.from_numpy(module.cluster_centers_.astype(float))
    *distances, prior = losses.clustering_module(torch.from_numpy(z), torch.from_numpy(gamma), centers, alpha).tolist()
    size = np.linalg.norm(after.centers - after.centers.mean(0), axis=1).mean()
    measured = {
        "clusters": len(np.unique(module.labels_)),
        "entropy": entropy(gamma),
        "entropy_spherical": entropy(spherical.predict_proba(z)),
        "loss": sum(distances) / z.size + prior,
        "mixture_loss": alone.objective[-1],
        "continued_loss": after.objective[-1],
        "ari_continued": adjusted_rand_score(after.gamma.argmax(1), module.labels_),
        "centroids_continued": np.linalg.norm(after.centers - module.cluster_centers_, axis=1).mean() / size,
        "gamma_continued": np.abs(after.gamma - gamma).sum(1).mean() / 2,
        "ari_mixture": adjusted_rand_score(alone.gamma.argmax(1), module.labels_),
        "ari_spherical": adjusted_rand_score(spherical.predict(z), module.labels_),
        "ari_kmeans": adjusted_rand_score(means.labels_, module.labels_),
        "truth_module": adjusted_rand_score(y, module.labels_),
        "truth_mixture": adjusted_rand_score(y, alone.gamma.argmax(1)),
        "truth_spherical": adjusted_rand_score(y, spherical.predict(z)),
        "truth_kmeans": adjusted_rand_score(y, means.labels_),
    }
    return measured, module, alone


def best(found: list[tuple[dict[str, float], ClusteringModule, SphericalMixture]]) -> dict[str, float]:
    """Compare the module and the mixture of the seeds with the least loss of each."""
    _, module, _ = min(found, key=lambda one: one[0]["loss"])
    *_, mixture = min(found, key=lambda one: one[0]["mixture_loss"])
    centers = module.cluster_centers_
    # Clusters have no order: each of the module's goes with the nearest of the mixture's.
    away = np.linalg.norm(centers[:, None] - mixture.centers, axis=2).min(1).mean()
    size = np.linalg.norm(mixture.centers - mixture.centers.mean(0), axis=1).mean()
    ari = adjusted_rand_score(mixture.gamma.argmax(1), module.labels_)
    return {"ari_mixture": ari, "centroids_mixture": away / size}


def study(names: list[str], seeds: int, out: Path) -> None:
    """Write what is not there yet."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    there = list(csv.DictReader(out.open(encoding="utf-8"))) if out.exists() else []
    done = {(row["data"], row["init"], float(row["alpha"])) for row in there}
    inits: tuple[Literal["rand", "pre"], ...] = ("rand", "pre")
    for name, init, alpha in itertools.product(names, inits, (1.0, 1.03)):
        if (name, init, alpha) in done:
            continue
        x, y, settings = data_sets()[name]
        found = [compare(x, y, settings, init, alpha, seed) for seed in range(seeds)]
        rows = {str(seed): one[0] for seed, one in enumerate(found)} | {"best": best(found)}
        columns = ["data", "init", "alpha", "seed", *found[0][0], "centroids_mixture"]
        with out.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            if not file.tell():
                writer.writeheader()
            for seed, measured in rows.items():
                row = {"data": name, "init": init, "alpha": alpha, "seed": seed}
                writer.writerow(row | {key: f"{value:.4g}" for key, value in measured.items()})


def mnist() -> None:
    data = load_dataset("mnist")
    z = data.X - data.X.mean(0)
    z /= z.std()
    for alpha in (1.0, 1.03):
        for seed in range(3):
            found = spherical_mixture(z, starts(z, 10, "pre", seed), alpha=alpha)
            measured = scores(data.y, found.gamma.argmax(1))
            line = "  ".join(f"{name} {value:.4f}" for name, value in measured.items())
            print(f"alpha {alpha}, seed {seed}: {line}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--out", type=Path, default=ROOT / "book" / "results" / "mixture-study.csv")
    parser.add_argument("--mnist", action="store_true", help="the mixture on all of MNIST instead")
    parser.add_argument("--data", nargs="+", default=list(data_sets()), choices=data_sets(), help="some data sets only")
    options = parser.parse_args()
    if options.mnist:
        mnist()
    else:
        study(options.data, options.seeds, options.out)


if __name__ == "__main__":
    main()
