import matplotlib.pyplot as plt
import numpy as np
import pytest

from dctutor import plots


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


@pytest.mark.parametrize(("k", "numbers", "names"), [(15, 15, 15), (16, 0, 16), (40, 0, 40), (41, 0, 0)])
def test_large_confusion_has_no_numbers_and_larger_no_names(k, numbers, names):
    y = np.arange(2 * k) % k
    ax = plots.confusion(y, y)
    assert len(ax.texts) == numbers
    assert len(ax.get_xticks()) == len(ax.get_yticks()) == names
    wide = plots.confusion(y % 3, y)
    assert len(wide.get_xticks()) == names and len(wide.get_yticks()) == 3


def test_confusion_decodes_names_in_bytes():
    ax = plots.confusion(np.array([b"cat", b"cow", b"cat"]), [b"\xc3\xa9", b"b", b"\xc3\xa9"])
    assert [t.get_text() for t in ax.get_yticklabels()] == ["cat", "cow"]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["é", "b"]


@pytest.mark.parametrize(
    ("y_true", "labels", "message"),
    [
        ([0, 1], [0, 1, 1], r"labels: expected shape \(2,\)"),
        (np.zeros(0, int), np.zeros(0, int), "at least one"),
        ([0.5, 1.5], [0, 1], "y_true: expected classes, .* got 0.5"),
    ],
)
def test_confusion_refuses(y_true, labels, message):
    with pytest.raises(ValueError, match=message):
        plots.confusion(y_true, labels)


HISTORY = {
    "pretrain": {"epoch": [1, 2, 3], "loss": [1.0, 0.1, 0.01]},
    "cluster": {"epoch": [1, 2], "loss": [3.0, 2.0], "clustering": [2.0, 1.5], "reconstruction": [1.0, 0.5]},
    "cluster/refresh": {"step": [0, 10, 20], "changed": [0.5, 0.1, 0.0]},
}


def test_curves_have_one_panel_per_table():
    first, second, third = plots.training_curves(HISTORY).axes
    assert [ax.get_title() for ax in (first, second, third)] == ["pretrain", "cluster", "cluster: labels"]
    assert first.get_yscale() == "log" and second.get_yscale() == third.get_yscale() == "linear"
    assert first.lines[0].get_xydata().tolist() == [[1, 1.0], [2, 0.1], [3, 0.01]]
    assert [t.get_text() for t in second.get_legend().get_texts()] == ["loss", "clustering", "reconstruction"]
    assert (third.get_xlabel(), third.get_ylabel()) == ("step", "fraction of labels changed")


def test_curves_of_chosen_columns():
    figure = plots.training_curves(HISTORY, keys=["clustering"])
    assert [ax.get_title() for ax in figure.axes] == ["cluster"]
    assert figure.axes[0].lines[0].get_ydata().tolist() == [2.0, 1.5]


def test_curves_refuse():
    with pytest.raises(ValueError, match=r"history: expected a table .* \['acc'\]"):
        plots.training_curves(HISTORY, keys=["acc"])
    with pytest.raises(ValueError, match="history: expected a table"):
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
    ("rows", "message"),
    [([0.5], "rows: expected a mapping of methods"), ({"DEC": 0.5}, r"rows\['DEC'\]: expected a mapping of metrics")],
)
def test_compare_refuses_what_maps_nothing(rows, message):
    with pytest.raises(TypeError, match=message):
        plots.compare(rows)


def test_compare_refuses_what_is_no_number():
    before = plt.get_fignums()
    with pytest.raises(ValueError, match=r"rows\['DEC'\]\['acc'\]: expected a finite number or NaN, got None"):
        plots.compare({"DEC": {"acc": None}})
    assert plt.get_fignums() == before


@pytest.mark.parametrize("column", [["low"], [None, [1]], [{}]])
def test_curves_refuse_what_is_no_number_and_leave_no_figure(column):
    before = plt.get_fignums()
    with pytest.raises(ValueError, match=r"history\['train'\]\['loss'\]: expected numbers, got "):
        plots.training_curves({"train": {"epoch": [1], "loss": column}})
    assert plt.get_fignums() == before
