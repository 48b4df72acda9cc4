import base64
import html
import itertools
import json
import re
from types import SimpleNamespace

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from sklearn import config_context
from sklearn.decomposition import PCA

from dctutor import plots

rng = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def close_figures():
    plt.switch_backend("Agg")
    yield
    plt.close("all")


def points_of(ax):
    return np.concatenate([np.asarray(c.get_offsets()) for c in ax.collections])


def test_every_cell_of_a_notebook_shows_its_figure():
    """Also where the first figure of all is drawn by `plots`, which then loads the notebook's backend."""
    draw = "plots.compare({'DEC': {'ACC': 0.5}});"
    cells = [nbformat.v4.new_code_cell(source) for source in ("from dctutor import plots\n" + draw, draw, draw)]
    notebook = NotebookClient(nbformat.v4.new_notebook(cells=cells), kernel_name="python3").execute()
    for cell in notebook.cells:
        assert [output.output_type for output in cell.outputs] == ["display_data"], cell.source


# Scatter plot of an embedding.


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


def test_a_colour_comes_back_with_another_marker():
    y = np.arange(24) % 12
    ax = plots.embedding(rng.normal(size=(24, 2)), y)
    looks = {(tuple(c.get_facecolor()[0]), c.get_paths()[0].vertices.shape) for c in ax.collections}
    assert len(looks) == 12


def test_given_axes_are_used_and_the_callers_style_is_kept():
    before = plt.rcParams["axes.facecolor"], plt.rcParams["font.size"]
    _, axes = plt.subplots(1, 2)
    assert plots.embedding(rng.normal(size=(9, 2)), ax=axes[1]) is axes[1]
    assert not axes[0].collections
    assert (plt.rcParams["axes.facecolor"], plt.rcParams["font.size"]) == before


def test_figures_stay_readable_under_a_dark_style():
    with plt.style.context("dark_background"):
        ax = plots.embedding(rng.normal(size=(9, 2)))
    assert ax.figure.get_facecolor() == (1, 1, 1, 1)
    assert max(ax.xaxis.label.get_color()[i : i + 2] for i in (1, 3, 5)) < "40"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"Z": np.zeros(4)}, "Z: expected a 2-D array"),
        ({"Z": np.zeros((0, 2))}, "Z: expected a 2-D array"),
        ({"Z": np.full((3, 2), np.nan)}, "Z: expected finite"),
        ({"Z": np.zeros((3, 1))}, "at least 2 rows and 2 columns"),
        ({"Z": np.eye(3), "labels": [0, 1]}, r"labels must have shape \(3,\)"),
        ({"Z": np.eye(3), "labels": [0.5, 1, 2]}, "labels must be integers"),
        ({"Z": np.eye(3), "labels": [0, 1, 2], "label_names": ["a", "b"]}, "label_names must name the labels 0 to 2"),
        ({"Z": np.eye(3), "centers": np.eye(2)}, "centers must have 3 columns"),
    ],
)
def test_embedding_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        plots.embedding(**arguments)


# Animation.


def fit(n=50, p=4, steps=5, seed=1):
    draw = np.random.default_rng(seed)
    return [
        SimpleNamespace(
            phase="pretrain" if t < 2 else "cluster",
            epoch=t + 1,
            embedding=(draw.normal(size=(n, p)) * (t + 1)).astype(np.float32),
            centers=None if t < 2 else draw.normal(size=(3, p)),
        )
        for t in range(steps)
    ]


def payload(animation):
    found = re.findall(r'data-payload="([^"]*)"', animation.html)
    assert len(found) == 1
    return json.loads(html.unescape(found[0]))


def unpack(data, key):
    integers = np.frombuffer(base64.b64decode(data[key]), dtype="<u2").reshape(-1, 2)
    return np.array(data["origin"]) + data["step"] * integers


@pytest.mark.parametrize("p", [2, 4])
def test_payload_holds_the_projected_snapshots(p):
    shots, y = fit(p=p), np.arange(50) % 3
    animation = plots.embedding_animation(shots, y, label_names=["a", "b", "c"], seconds=3)
    data = payload(animation)
    last = PCA(2, svd_solver="full").fit(shots[-1].embedding.astype(float))
    project = (lambda Z: Z) if p == 2 else last.transform
    points = np.concatenate([project(s.embedding.astype(float)) for s in shots])
    assert np.abs(unpack(data, "points") - points).max() <= 0.5001 * data["step"]
    assert data["step"] < np.ptp(points) / 60_000
    centers = np.concatenate([project(s.centers) for s in shots[2:]])
    assert np.abs(unpack(data, "centers") - centers).max() <= 0.5001 * data["step"]
    assert data["counts"] == [0, 0, 3, 3, 3]
    assert data["groups"] == y.tolist() and data["names"] == ["a", "b", "c"] and data["seconds"] == 3
    assert data["frames"][1:3] == ["pretrain, epoch 2", "cluster, epoch 3"]
    assert ("PC 1" in animation.html) == (p == 4)


def test_animation_is_small_and_self_contained():
    animation = plots.embedding_animation(fit(n=1000, steps=40), np.arange(1000) % 10)
    assert len(animation.html) < 300_000
    assert not re.search(r"(?:https?:)?//[a-z0-9]+\.|src=|@import|url\(", animation.html)
    assert not re.search(r"@[A-Z]+@", animation.html)
    assert not re.search(r'\sid="', animation.html)  # so that several fit into one page
    assert repr(animation) == "EmbeddingAnimation(n_snapshots=40, n_points=1000)"


def test_many_points_are_thinned_evenly_with_their_labels():
    shots, y = fit(n=301, p=2), np.arange(301)
    data = payload(plots.embedding_animation(shots, y, max_points=4))
    assert [data["names"][g] for g in data["groups"]] == ["0", "100", "200", "300"]
    expected = np.concatenate([s.embedding[::100] for s in shots])
    assert np.abs(unpack(data, "points") - expected).max() <= 0.51 * data["step"]


def test_animation_speaks_and_escapes_names():
    names = ['<b class="x">', "@PAYLOAD@", "c"]
    page = plots.embedding_animation(fit(), np.arange(50) % 3, label_names=names)._repr_html_()
    assert "<b class" not in page
    assert payload(SimpleNamespace(html=page))["names"] == names
    label = html.unescape(re.search(r'<canvas role="img" aria-label="([^"]*)"', page)[1])
    assert "50 embedded samples" in label and "from pretrain, epoch 1 to cluster, epoch 5" in label
    assert 'type="range"' in page and "<noscript>" in page and "prefers-reduced-motion" in page


def test_same_input_gives_the_same_page():
    assert plots.embedding_animation(fit()).html == plots.embedding_animation(fit()).html


def test_one_snapshot_of_equal_points():
    shot = SimpleNamespace(phase="pretrain", epoch=0, embedding=np.ones((3, 2)), centers=None)
    data = payload(plots.embedding_animation([shot]))
    assert np.allclose(unpack(data, "points"), 1) and data["names"] == [""]


def test_save_writes_a_page_of_its_own(tmp_path):
    animation = plots.embedding_animation(fit())
    animation.save(tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>") and animation.html in text


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        (lambda s: s.clear(), {}, "at least one snapshot"),
        (lambda s: setattr(s[1], "embedding", np.zeros((49, 4))), {}, r"got \(49, 4\) in snapshots\[1\]"),
        (lambda s: setattr(s[3], "centers", np.zeros((3, 2))), {}, r"snapshots\[3\].centers must be"),
        (
            lambda s: setattr(s[0], "embedding", np.full((50, 4), np.inf)),
            {},
            r"snapshots\[0\].embedding: expected finite",
        ),
        (lambda s: None, {"labels": np.zeros(3, int)}, r"labels must have shape \(50,\)"),
        (lambda s: None, {"seconds": 0}, "seconds"),
        (lambda s: None, {"seconds": float("inf")}, "seconds"),
        (lambda s: None, {"max_points": 0}, "max_points"),
    ],
)
def test_animation_refuses(change, arguments, message):
    shots = fit()
    change(shots)
    with pytest.raises(ValueError, match=message):
        plots.embedding_animation(shots, **arguments)


# Confusion matrix.


def test_confusion_orders_the_clusters_by_their_class():
    y_true = np.array([0, 0, 0, 1, 1, 1, 2, 2])
    labels = np.array([5, 5, 7, 7, 7, 7, 3, 5])
    ax = plots.confusion(y_true, labels, label_names=["cat", "dog", "owl"])
    # By hand: cluster 5 goes to cat (2), 7 to dog (3), 3 to owl (1): 6 of 8.
    assert [t.get_text() for t in ax.get_xticklabels()] == ["5", "7", "3"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["cat", "dog", "owl"]
    assert np.allclose(ax.images[0].get_array(), [[2 / 3, 1 / 3, 0], [0, 1, 0], [0.5, 0, 0.5]])
    written = {(int(t.get_position()[1]), int(t.get_position()[0])): t.get_text() for t in ax.texts}
    assert written == {(0, 0): "2", (0, 1): "1", (1, 1): "3", (2, 0): "1", (2, 2): "1"}
    assert ax.get_title() == "75.0% in the framed cells"
    assert sorted(p.get_xy() for p in ax.patches) == [(-0.5, -0.5), (0.5, 0.5), (1.5, 1.5)]


def test_confusion_with_more_clusters_than_classes():
    ax = plots.confusion([0, 0, 0, 1, 1, 1], [2, 2, 0, 1, 1, 3])
    assert [t.get_text() for t in ax.get_xticklabels()] == ["2", "1", "0", "3"]
    assert ax.get_title() == "66.7% in the framed cells"


def test_confusion_with_fewer_clusters_than_classes():
    ax = plots.confusion([0, 0, 1, 1, 2, 2], [1, 1, 1, 1, 0, 0])
    assert [t.get_text() for t in ax.get_xticklabels()] == ["1", "0"]
    assert sorted(p.get_xy() for p in ax.patches) == [(-0.5, -0.5), (0.5, 1.5)]
    assert ax.get_title() == "66.7% in the framed cells"


def test_large_confusion_has_no_numbers():
    y = np.arange(40) % 20
    assert not plots.confusion(y, y).texts


@pytest.mark.parametrize(
    ("y_true", "labels", "message"),
    [
        ([0, 1], [0, 1, 1], r"labels must have shape \(2,\)"),
        (np.zeros(0, int), np.zeros(0, int), "at least one"),
        ([0.5, 1.5], [0, 1], "y_true must be integers or names"),
    ],
)
def test_confusion_refuses(y_true, labels, message):
    with pytest.raises(ValueError, match=message):
        plots.confusion(y_true, labels)


# Silhouettes.


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


def test_silhouette_names_clusters():
    ax = plots.silhouette(np.full(4, 0.5), np.array([0, 1, 0, 1]), label_names=["cats", "dogs"])
    assert [t.get_text() for t in ax.get_yticklabels()] == ["cats", "dogs"]


@pytest.mark.parametrize(
    ("values", "labels", "message"),
    [
        ([], [], r"values must have shape \(n,\)"),
        ([[0.5]], [0], r"values must have shape \(n,\)"),
        ([0.5, np.nan], [0, 1], r"values must lie in \[-1, 1\]"),
        ([0.5, 1.5], [0, 1], r"values must lie in \[-1, 1\]"),
        ([0.5, 0.5], [0], r"labels must have shape \(2,\)"),
    ],
)
def test_silhouette_refuses(values, labels, message):
    with pytest.raises(ValueError, match=message):
        plots.silhouette(values, labels)


# Images.


def test_prototypes_are_drawn_in_rows():
    images = rng.uniform(-0.5, 1.5, size=(5, 12))
    figure = plots.prototypes(images, image_shape=(1, 3, 4), titles=list("abcde"), ncols=3)
    drawn = [ax for ax in figure.axes if ax.images]
    assert len(figure.axes) == 6 and [ax.get_title() for ax in drawn] == list("abcde")
    assert np.allclose(drawn[4].images[0].get_array(), images[4].reshape(3, 4).clip(0, 1))


def test_colour_images_and_image_arrays():
    images = rng.uniform(size=(2, 3, 4, 5))
    figure = plots.prototypes(images, image_shape=(3, 4, 5))
    assert np.allclose(figure.axes[1].images[0].get_array(), np.moveaxis(images[1], 0, -1))


def test_image_rows_keep_order_and_names():
    rows = {"original": rng.uniform(size=(4, 6)), "reconstruction": rng.uniform(size=(4, 6))}
    figure = plots.image_rows(rows, (1, 2, 3))
    assert [part.get_suptitle() for part in figure.subfigs] == list(rows)
    assert np.allclose(figure.subfigs[1].axes[2].images[0].get_array(), rows["reconstruction"][2].reshape(2, 3))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"images": np.zeros((2, 10)), "image_shape": (1, 3, 3)}, r"images must have shape \(k, 9\)"),
        ({"images": np.zeros((0, 9)), "image_shape": (1, 3, 3)}, "with k >= 1"),
        ({"images": np.zeros((2, 9)), "image_shape": (3, 3)}, r"image_shape must be \(C, H, W\)"),
        ({"images": np.zeros((2, 18)), "image_shape": (2, 3, 3)}, "1 or 3 channels"),
        ({"images": np.zeros((2, 9)), "image_shape": (1, 3, 3), "titles": ["a"]}, "titles must have 2"),
        ({"images": np.zeros((2, 9)), "image_shape": (1, 3, 3), "ncols": 0}, "ncols"),
    ],
)
def test_prototypes_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        plots.prototypes(**arguments)


def test_image_rows_refuses():
    with pytest.raises(ValueError, match=r"as many images each; got {'a': 2, 'b': 3}"):
        plots.image_rows({"a": np.zeros((2, 4)), "b": np.zeros((3, 4))}, (1, 2, 2))
    with pytest.raises(ValueError, match="as many images each"):
        plots.image_rows({}, (1, 2, 2))
    with pytest.raises(ValueError, match=r"rows\['a'\] must have shape"):
        plots.image_rows({"a": np.zeros((2, 5))}, (1, 2, 2))


# Curves and bars.

HISTORY = {
    "pretrain": {"epoch": [1, 2, 3], "loss": [1.0, 0.1, 0.01]},
    "cluster": {"epoch": [1, 2], "loss": [3.0, 2.0], "clustering": [2.0, 1.5], "reconstruction": [1.0, 0.5]},
    "cluster/refresh": {"step": [0, 10, 20], "changed": [0.5, 0.1, 0.0]},
}


def test_curves_have_a_panel_a_table():
    first, second, third = plots.training_curves(HISTORY).axes
    assert [ax.get_title() for ax in (first, second, third)] == ["pretrain", "cluster", "cluster: labels"]
    assert first.get_yscale() == "log" and second.get_yscale() == third.get_yscale() == "linear"
    assert first.lines[0].get_xydata().tolist() == [[1, 1.0], [2, 0.1], [3, 0.01]]
    assert [t.get_text() for t in second.get_legend().get_texts()] == ["loss", "clustering", "reconstruction"]
    assert (third.get_xlabel(), third.get_ylabel()) == ("step", "share of labels changed")


def test_curves_of_chosen_columns():
    figure = plots.training_curves(HISTORY, keys=["clustering"])
    assert [ax.get_title() for ax in figure.axes] == ["cluster"]
    assert figure.axes[0].lines[0].get_ydata().tolist() == [2.0, 1.5]


def test_curves_refuse():
    with pytest.raises(ValueError, match=r"history must have a table .* \['acc'\]"):
        plots.training_curves(HISTORY, keys=["acc"])
    with pytest.raises(ValueError, match="history must have a table"):
        plots.training_curves({})
    with pytest.raises(ValueError, match=r"2 entries of 'epoch' and 1 of 'loss'"):
        plots.training_curves({"pretrain": {"epoch": [1, 2], "loss": [1.0]}})


def test_the_legend_of_many_training_curves_covers_none():
    table = {"epoch": [1, 2, 3]} | {name: [3.0, 2.0, 1.0] for name in ("loss", "E1", "E2", "prior")}
    figure = plots.training_curves({"cluster": table})
    figure.draw_without_rendering()
    (ax,) = figure.axes
    assert ax.get_ylabel() == "loss"
    assert ax.get_legend().get_window_extent().y1 < ax.get_window_extent().y0


def test_compare_draws_and_writes_each_value():
    ax = plots.compare({"k-means": {"ACC": 0.5, "NMI": 0.4}, "DEC": {"ACC": 0.7}})
    assert [t.get_text() for t in ax.get_yticklabels()] == ["k-means", "DEC"]
    assert sorted(bar.get_width() for bar in ax.patches) == [0.4, 0.5, 0.7]
    assert sorted(t.get_text() for t in ax.texts) == ["0.400", "0.500", "0.700"]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["ACC", "NMI"]
    dec = next(bar for bar in ax.patches if bar.get_width() == 0.7)
    assert 0.5 < dec.get_y() < 1.5 and ax.yaxis_inverted()


def test_compare_refuses_nothing_to_draw():
    with pytest.raises(ValueError, match="at least one method"):
        plots.compare({"DEC": {}})


def test_compare_shows_what_is_not_defined():
    ax = plots.compare({"IDEC": {"acc": 0.5, "silhouette": np.nan}})
    assert [text.get_text() for text in ax.texts] == ["0.500", "undefined"] and ax.get_xlim()[1] == 1.08


@pytest.mark.parametrize(
    ("rows", "message"), [([0.5], "rows must map methods"), ({"DEC": 0.5}, r"rows\['DEC'\] must map metrics to values")]
)
def test_compare_refuses_what_maps_nothing(rows, message):
    with pytest.raises(TypeError, match=message):
        plots.compare(rows)


def test_names_are_groups_too():
    names = np.array(["cat", "dog", "cat", "cow"])
    ax = plots.confusion(names, [1, 0, 1, 2])
    assert [text.get_text() for text in ax.get_yticklabels()] == ["cat", "cow", "dog"]
    assert {text.get_text() for text in plots.embedding(np.eye(4), names).texts} == {"cat", "cow", "dog"}
    shown = plots.silhouette(np.full(4, 0.5), names == "cat").get_yticklabels()
    assert [text.get_text() for text in shown] == ["False", "True"]
    with pytest.raises(TypeError, match="labels: expected labels of one kind, got int and str"):
        plots.embedding(np.eye(4), [0, 0, "a", "a"])
    with pytest.raises(ValueError, match=r"y_true must have shape \(0,\)"):
        plots.confusion(3, 3)
    with pytest.raises(ValueError, match="label_names must be None where labels are no integers"):
        plots.embedding(np.eye(4), names, label_names=["a", "b", "c"])


def test_compare_refuses_what_is_no_number():
    before = plt.get_fignums()
    with pytest.raises(ValueError, match=r"rows\['DEC'\]\['acc'\] must be a finite number or NaN; got None"):
        plots.compare({"DEC": {"acc": None}})
    assert plt.get_fignums() == before


def test_names_are_written_as_they_are():
    y = np.arange(20) % 2
    plots.embedding(np.random.default_rng(0).random((20, 2)), y, label_names=["$\\frac$", "a_b"])
    plots.confusion(y, y, label_names=["$\\frac$", "a_b"]).figure.draw_without_rendering()


BAD = "$\\frac$"


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plots.embedding(np.eye(4), np.zeros(4, int), label_names=[BAD], title=BAD).figure,
        lambda: plots.silhouette(np.zeros(4), np.zeros(4, int), label_names=[BAD]).figure,
        lambda: plots.confusion([0, 0], [0, 0], label_names=[BAD]).figure,
        lambda: plots.compare({BAD: {BAD: 1}}).figure,
        lambda: plots.compare({BAD: {BAD: 1, "b": 2}}).figure,
        lambda: plots.training_curves({BAD: {"epoch": [1], BAD: [1]}}),
        lambda: plots.training_curves({BAD: {"epoch": [1], BAD: [1], "b": [2]}}),
        lambda: plots.prototypes(np.zeros((1, 4)), image_shape=(1, 2, 2), titles=[BAD]),
        lambda: plots.image_rows({BAD: np.zeros((1, 4))}, (1, 2, 2)),
    ],
)
def test_a_dollar_sign_in_a_name_begins_no_formula(draw):
    figure = draw()
    for ax in figure.axes:
        if ax.get_legend_handles_labels()[0]:
            ax.legend()
    figure.draw_without_rendering()


def test_a_formula_that_the_caller_writes_is_one():
    ax = plots.embedding(np.eye(4), title="$5")
    ax.set_title("$z$")
    assert ax.title.get_parse_math()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plots.prototypes(np.zeros((3, 4)), image_shape=None), "image_shape must be"),
        (lambda: plots.image_rows({"a": np.zeros((3, 4))}, None), "image_shape must be"),
        (lambda: plots.prototypes(np.zeros((3, 4)), image_shape=(1, 2, 2), ncols=2.5), "ncols: expected an integer"),
    ],
)
def test_images_refuse_and_leave_no_figure(call, message):
    before = plt.get_fignums()
    with pytest.raises((TypeError, ValueError), match=message):
        call()
    assert plt.get_fignums() == before


def test_embedding_where_scikit_learn_returns_tables():
    points = np.random.default_rng(0).normal(size=(20, 5))
    with config_context(transform_output="pandas"):
        ax = plots.embedding(points)
    assert len(ax.collections[0].get_offsets()) == 20


@pytest.mark.parametrize(
    "draw",
    [
        lambda ax: plots.embedding(np.eye(4), ax=ax),
        lambda ax: plots.silhouette(np.zeros(4), np.zeros(4, int), ax=ax),
        lambda ax: plots.confusion([0, 0], [0, 0], ax=ax),
        lambda ax: plots.compare({"DEC": {"acc": 1}}, ax=ax),
    ],
)
def test_axes_that_were_removed_are_refused(draw):
    ax = plt.subplots()[1]
    ax.remove()
    with pytest.raises(ValueError, match="ax must belong to a figure; got an Axes that was removed"):
        draw(ax)


@pytest.mark.parametrize("column", [["low"], [None, [1]], [{}]])
def test_curves_refuse_what_is_no_number_and_leave_no_figure(column):
    before = plt.get_fignums()
    with pytest.raises(ValueError, match=r"history\['train'\]\['loss'\] must hold numbers; got "):
        plots.training_curves({"train": {"epoch": [1], "loss": column}})
    assert plt.get_fignums() == before


@pytest.mark.filterwarnings("error")
def test_an_embedding_that_collapsed_is_drawn_without_a_warning():
    assert len(points_of(plots.embedding(np.ones((9, 3))))) == 9
