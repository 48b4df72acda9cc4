import itertools

import numpy as np
import pytest
from sklearn import config_context
from sklearn.decomposition import PCA

from dctutor import plots

rng = np.random.default_rng(0)


def points_of(ax):
    return np.concatenate([np.asarray(c.get_offsets()) for c in ax.collections])


def test_two_dimensions_are_drawn_as_they_are():
    Z, y = rng.normal(size=(30, 2)), np.repeat([0, 1, 2], 10)
    ax = plots.embedding(Z, y, title="three groups")
    assert np.allclose(points_of(ax), Z)
    assert [text.get_text() for text in ax.texts] == ["0", "1", "2"]
    assert np.allclose(ax.texts[1].xy, np.median(Z[10:20], axis=0))
    assert (ax.get_xlabel(), ax.get_title()) == ("dimension 1", "three groups")


def test_more_dimensions_are_projected_and_the_axes_say_so():
    Z, centers = rng.normal(size=(40, 5)), rng.normal(size=(3, 5))
    ax = plots.embedding(Z, centers=centers)
    pca = PCA(2, svd_solver="full").fit(Z)
    assert np.allclose(points_of(ax), np.concatenate([pca.transform(Z), pca.transform(centers)]))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("PC 1", "PC 2")
    assert not ax.texts


def test_names_replace_numbers_and_do_not_overlap():
    Z, y = np.random.default_rng(3).normal(size=(600, 2)), np.arange(600) % 6  # medians nearly at one place
    ax = plots.embedding(Z, y, label_names=[f"class {i}" for i in range(6)])
    ax.figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert [text.get_text() for text in ax.texts][4] == "class 4"
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


@pytest.mark.parametrize("k", [40, 41, 3000])
def test_more_groups_than_looks_have_no_names(k):
    Z, y = np.random.default_rng(0).normal(size=(3000, 2)), np.arange(3000) % k
    ax = plots.embedding(Z, y)
    assert len(ax.texts) == (k if k == 40 else 0) and len(ax.collections) == 40
    points = points_of(ax)
    assert np.array_equal(points[np.lexsort(points.T)], Z[np.lexsort(Z.T)])
    # Group 0 and group 40, if there is one, look alike; group 0 and group 1 do not.
    of_look = [{tuple(point) for point in np.asarray(c.get_offsets())} for c in ax.collections]
    same = tuple(Z[40]) in of_look[0]
    assert tuple(Z[0]) in of_look[0] and tuple(Z[1]) not in of_look[0] and same
    assert not ax.get_legend_handles_labels()[1] or k == 40


def test_a_colour_comes_back_with_another_marker():
    y = np.arange(24) % 12
    ax = plots.embedding(rng.normal(size=(24, 2)), y)
    looks = {(tuple(c.get_facecolor()[0]), c.get_paths()[0].vertices.shape) for c in ax.collections}
    assert len(looks) == 12


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"Z": np.zeros(4)}, "Z: expected a 2-D array"),
        ({"Z": np.zeros((0, 2))}, "Z: expected a 2-D array"),
        ({"Z": np.full((3, 2), np.nan)}, "Z: expected finite"),
        ({"Z": np.zeros((3, 1))}, "Z: expected at least 2 rows and 2 columns"),
        ({"Z": np.eye(3), "labels": [0, 1]}, r"labels: expected shape \(3,\)"),
        ({"Z": np.eye(3), "labels": [0.5, 1, 2]}, "labels: expected classes, .* got 0.5"),
        (
            {"Z": np.eye(3), "labels": [0, 1, 2], "label_names": ["a", "b"]},
            "label_names: expected names of the labels 0 to 2",
        ),
        ({"Z": np.eye(3), "centers": np.eye(2)}, "centers: expected 3 columns"),
    ],
)
def test_embedding_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        plots.embedding(**arguments)


def test_embedding_where_scikit_learn_returns_tables():
    points = np.random.default_rng(0).normal(size=(20, 5))
    with config_context(transform_output="pandas"):
        ax = plots.embedding(points)
    assert len(ax.collections[0].get_offsets()) == 20


@pytest.mark.filterwarnings("error")
def test_an_embedding_that_collapsed_is_drawn_without_a_warning():
    assert len(points_of(plots.embedding(np.ones((9, 3))))) == 9
