import numpy as np
import pytest
import torch

from dctutor import plots


def test_silhouette_draws_each_cluster_sorted_and_as_high_as_it_is_large():
    values, labels = np.array([0.2, 0.9, -0.3, 0.5, 0.1]), np.array([7, 3, 7, 7, 3])
    ax = plots.silhouette(values, labels)
    bands = [patch.get_data() for patch in ax.patches]
    assert [band.values.tolist() for band in bands] == [[0.9, 0.1], [0.5, 0.2, -0.3]]
    assert [band.edges.tolist() for band in bands] == [[0, 1, 2], [3, 4, 5, 6]]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["3", "7"]
    assert ax.get_yticks().tolist() == [1, 4.5] and ax.yaxis_inverted()
    assert [line.get_xdata()[0] for line in ax.lines] == [0, pytest.approx(values.mean())]
    assert ax.get_title() == "mean 0.28 (dashed)"


@pytest.mark.parametrize("n", [2000, 2001, 100_000])
def test_silhouettes_of_many_samples_are_thinned(n):
    draw = np.random.default_rng(n)
    values, labels = draw.uniform(-1, 1, n), np.minimum(draw.integers(0, 40, n), 3)  # the fourth has most samples
    ax = plots.silhouette(values, labels)
    bands = [patch.get_data() for patch in ax.patches]
    steps = [len(band.values) for band in bands]
    assert sum(steps) == n if n == 2000 else sum(steps) <= 2004
    for k, band in enumerate(bands):
        exact = np.sort(values[labels == k])[::-1]
        assert band.edges[-1] - band.edges[0] == len(exact)
        # A step is the mean of the samples that it covers, so that the area is the sum.
        assert (band.values * np.diff(band.edges)).sum() == pytest.approx(exact.sum(), abs=1e-9)
        begin = (band.edges - band.edges[0])[:-1].astype(int)
        assert (band.values <= exact[begin]).all() and (np.diff(band.values) <= 0).all()
    assert ax.lines[1].get_xdata()[0] == pytest.approx(values.mean())


@pytest.mark.parametrize("k", [40, 41])
def test_silhouettes_of_many_clusters_have_no_names(k):
    ax = plots.silhouette(np.zeros(120), np.arange(120) % k)
    assert len(ax.patches) == k and len(ax.get_yticks()) == (40 if k == 40 else 0)


def test_silhouettes_of_tensors():
    ax = plots.silhouette(torch.tensor([0.25, 0.5], requires_grad=True), torch.tensor([1, 0]))
    assert [patch.get_data().values.tolist() for patch in ax.patches] == [[0.5], [0.25]]


def test_silhouette_names_clusters():
    ax = plots.silhouette(np.full(4, 0.5), np.array([0, 1, 0, 1]), label_names=["cats", "dogs"])
    assert [t.get_text() for t in ax.get_yticklabels()] == ["cats", "dogs"]


@pytest.mark.parametrize(
    ("values", "labels", "message"),
    [
        ([], [], r"values: expected shape \(n,\)"),
        ([[0.5]], [0], r"values: expected shape \(n,\)"),
        ([0.5, np.nan], [0, 1], r"values: expected silhouettes in \[-1, 1\], got nan"),
        ([0.5, 1.5], [0, 1], r"values: expected silhouettes in \[-1, 1\], got 1.5"),
        ([0.5, 0.5], [0], r"labels: expected shape \(2,\)"),
    ],
)
def test_silhouette_refuses(values, labels, message):
    with pytest.raises(ValueError, match=message):
        plots.silhouette(values, labels)
