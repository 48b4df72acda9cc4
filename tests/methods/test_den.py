"""DEN minimises what its paper says, and clusters the code by k-means."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors
from small_fits import blobs, small

from dctutor import DEN, AutoencoderKMeans

X, TRUTH = blobs()
WIDTHS = (16, 5)  # three groups, of 2, 2 and 1 units


@pytest.fixture(scope="module")
def start():
    return small(AutoencoderKMeans, widths=WIDTHS, pretrain_epochs=20).fit(X)


def constraints(start, k, t):
    """The three terms before fine-tuning: plain NumPy, scikit-learn's neighbours."""
    x = (X * start.scaling_.factor).astype(np.float32)
    z = start.transform(X).astype(float)
    rebuilt = start.inverse_transform(z) * start.scaling_.factor
    z = z / z.std(0, ddof=1).mean()  # fine-tuning starts from unit spread
    distance, neighbors = NearestNeighbors(n_neighbors=k).fit(x).kneighbors()
    width = t or (distance**2).mean()
    near = np.exp(-(distance**2) / width) * ((z[:, None] - z[neighbors]) ** 2).sum(2)
    groups = [np.sqrt(2) * np.linalg.norm(z[:, :2], axis=1), np.sqrt(2) * np.linalg.norm(z[:, 2:4], axis=1)]
    return {
        "reconstruction": ((x - rebuilt) ** 2).mean(),
        "locality": near.mean(),
        "sparsity": (sum(groups) + np.abs(z[:, 4])).mean(),
    }


def tuned(start, **changes):
    """Fine-tuning alone, a whole batch a step, and by default so slow that nothing moves."""
    settings = {"widths": WIDTHS, "autoencoder": start.network_, "batch_size": len(X), "precision": "float32"}
    return small(DEN, **settings | {"epochs": 1, "learning_rate": 1e-12} | changes).fit(X)


@pytest.mark.parametrize("t", [None, 0.02])
def test_the_objective_is_the_papers(start, t):
    seen = tuned(start, alpha=3, beta=0.7, n_neighbors=1, t=t).history_["finetune"]
    expected = constraints(start, 1, t)
    for name, value in expected.items():
        assert seen[name][0] == pytest.approx(value, rel=1e-4), name
    total = expected["reconstruction"] + 3 * expected["locality"] + 0.7 * expected["sparsity"]
    assert seen["loss"][0] == pytest.approx(total, rel=1e-4)


def test_drawn_neighbours_stand_for_all_of_them(start):
    seen = tuned(start, n_neighbors=4, epochs=200).history_["finetune"]["locality"]
    assert len(set(seen)) > 150, "each step draws anew"
    assert np.mean(seen) == pytest.approx(constraints(start, 4, None)["locality"], rel=0.02)


@pytest.mark.parametrize(("weight", "term"), [("alpha", "locality"), ("beta", "sparsity")])
def test_a_constraint_with_more_weight_is_kept_better(start, weight, term):
    off = {"alpha": 0, "beta": 0, "epochs": 100, "learning_rate": 1e-3}
    without, much = (tuned(start, **off | {weight: size}).history_["finetune"][term][-1] for size in (0, 100))
    assert much < 0.6 * without


def test_the_labels_are_those_of_k_means_on_the_code(start):
    fitted = tuned(start, epochs=20, learning_rate=1e-3)
    z = fitted.transform(X)
    means = np.stack([z[fitted.labels_ == k].mean(0) for k in range(3)])
    np.testing.assert_allclose(fitted.cluster_centers_, means, atol=1e-4 * np.abs(z).max())
    assert np.array_equal(((z[:, None] - means) ** 2).sum(2).argmin(1), fitted.predict(X))


def test_a_code_narrower_than_the_number_of_clusters_has_single_units_for_groups():
    still = {"epochs": 1, "learning_rate": 1e-12, "batch_size": len(X), "precision": "float32"}
    fitted = small(DEN, n_clusters=4, **still).fit(X)
    expected = np.abs(fitted.transform(X)).sum(1).mean()
    assert fitted.history_["finetune"]["sparsity"][0] == pytest.approx(expected, rel=1e-4)


def test_few_samples_and_equal_ones():
    few = small(DEN, n_neighbors=50).fit(X[:6])
    equal = small(DEN).fit(np.vstack([X[:5]] * 12))
    assert np.isfinite(few.transform(X)).all() and np.isfinite(equal.transform(X)).all()
