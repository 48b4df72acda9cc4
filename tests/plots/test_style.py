import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.text import Text
from nbclient import NotebookClient

from dctutor import plots

rng = np.random.default_rng(0)
BAD = "$\\frac$"


def test_every_cell_of_a_notebook_shows_its_figure():
    """Also where the first figure of all is drawn by `plots`, which then loads the notebook's backend."""
    draw = "plots.compare({'DEC': {'ACC': 0.5}});"
    cells = [nbformat.v4.new_code_cell(source) for source in ("from dctutor import plots\n" + draw, draw, draw)]
    notebook = NotebookClient(nbformat.v4.new_notebook(cells=cells), kernel_name="python3").execute()
    for cell in notebook.cells:
        assert [output.output_type for output in cell.outputs] == ["display_data"], cell.source


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


OWN = {
    **{"image.origin": "lower", "image.aspect": "auto", "image.interpolation": "bicubic", "image.cmap": "hot"},
    **{"axes.grid": True, "axes.xmargin": 0.4, "axes.titlelocation": "left", "figure.autolayout": True},
    **{"xtick.labelbottom": False, "ytick.labelleft": False, "xtick.top": True, "xtick.minor.visible": True},
    **{"lines.marker": "x", "lines.linestyle": ":", "text.usetex": True, "axes.formatter.use_mathtext": True},
    **{"legend.frameon": True, "scatter.edgecolors": "black", "hatch.color": "red", "image.lut": 4},
}
STYLES = ["classic", "dark_background", "seaborn-v0_8", OWN]


# Fonts are kept, and how letters are drawn is read when they are drawn.
KEPT = [key for key in plt.rcParamsDefault if key.startswith("font.") and key != "font.size"]
KEPT += ["text.hinting", "text.hinting_factor", "text.kerning_factor", "text.antialiased"]


def every_figure(new=lambda: None):
    """One figure of each function, on axes from `new`."""
    y, values = np.arange(12) % 3, np.linspace(-0.5, 1, 12)
    Z = np.random.default_rng(5).normal(size=(12, 2))
    history = {"fit": {"epoch": [1, 2, 3], "loss": [3.0, 2.0, 0.1], "a_b": [1.0, 2.0, 3.0]}}
    drawn = [
        plots.embedding(Z, y, centers=Z[:3], label_names=["5% a_b", "c", "d"], title="100% #1", ax=new()),
        plots.confusion(y, np.roll(y, 1), ax=new()),
        plots.silhouette(values, y, ax=new()),
        plots.compare({"A_1": {"acc": 0.5, "nmi": 0.4}}, ax=new()),
    ]
    if new() is not None:
        return [ax.figure for ax in drawn]
    images = np.linspace(0, 1, 32).reshape(2, 16)
    return [ax.figure for ax in drawn] + [
        plots.training_curves(history),
        plots.prototypes(images, image_shape=(1, 4, 4), titles=["50%", "a_b"]),
        plots.image_rows({"a_b %": images}, (1, 4, 4)),
    ]


def pictures(figures):
    found = []
    for figure in figures:
        figure.canvas.draw()
        found.append(np.asarray(figure.canvas.buffer_rgba()).copy())
    plt.close("all")
    return found


@pytest.fixture(scope="module")
def plain_figures():
    return pictures(every_figure())


@pytest.mark.parametrize("own", STYLES, ids=lambda own: own if isinstance(own, str) else "own settings")
def test_the_callers_settings_change_no_pixel(own, plain_figures):
    with plt.style.context(own), plt.rc_context({key: plt.rcParamsDefault[key] for key in KEPT}):
        before = dict(plt.rcParams)
        for a, b in zip(plain_figures, pictures(every_figure()), strict=True):
            np.testing.assert_array_equal(a, b)
        assert dict(plt.rcParams) == before


def test_the_callers_fonts_are_kept():
    with plt.rc_context({"font.family": ["monospace"], "axes.unicode_minus": False}):
        ax = plots.embedding(np.eye(4), [0, 1, 2, 2])
        assert ax.texts[0].get_fontfamily() == ax.title.get_fontfamily() == ["monospace"]
        with plots.style():
            assert plt.rcParams["axes.unicode_minus"] is False


def test_axes_that_the_caller_made_keep_their_look_and_get_plain_text():
    with plt.rc_context({"text.usetex": True, "axes.grid": True, "image.origin": "lower"}):
        figures = every_figure(lambda: plt.subplots()[1])
        for figure in figures:
            figure.draw_without_rendering()
        written = [text for figure in figures for text in figure.findobj(Text) if text.get_text()]
        assert len(written) > 40 and not any(text.get_usetex() for text in written)
        ax = figures[1].axes[0]
        assert not any(line.get_visible() for line in ax.get_xgridlines() + ax.get_ygridlines())
        assert ax.yaxis_inverted()  # the first class is at the top
    with plt.style.context("dark_background"):
        for figure in every_figure(lambda: plt.subplots()[1]):
            assert figure.get_facecolor() == (0, 0, 0, 1)
            for ax in figure.axes:
                written = [ax.title, ax.xaxis.label, ax.yaxis.label, *ax.get_xticklabels(), *ax.get_yticklabels()]
                legend = ax.get_legend()
                written += legend.get_texts() if legend else []
                assert {to_hex(text.get_color()) for text in written} == {"#ffffff"}
            assert all(to_hex(line.get_color()) == "#ffffff" for line in figure.axes[0].lines)


def test_figures_in_a_block_of_the_style_keep_it_when_they_are_drawn_later():
    with plt.rc_context({"text.usetex": True, "xtick.color": "red"}):
        with plots.style():
            first, _ = plt.subplots()
            second, ax = plt.subplots()
            ax.set_title("a_b")
        assert plt.gcf() is second
        for figure in (first, second):
            figure.draw_without_rendering()
            assert not any(text.get_usetex() for text in figure.findobj(Text))
        assert {label.get_color() for label in ax.get_xticklabels()} == {"#1f2328"}


def test_names_are_groups_too():
    names = np.array(["cat", "dog", "cat", "cow"])
    ax = plots.confusion(names, [1, 0, 1, 2])
    assert [text.get_text() for text in ax.get_yticklabels()] == ["cat", "cow", "dog"]
    assert {text.get_text() for text in plots.embedding(np.eye(4), names).texts} == {"cat", "cow", "dog"}
    shown = plots.silhouette(np.full(4, 0.5), names == "cat").get_yticklabels()
    assert [text.get_text() for text in shown] == ["False", "True"]
    with pytest.raises(TypeError, match="labels: expected labels of one kind, got int and str"):
        plots.embedding(np.eye(4), [0, 0, "a", "a"])
    with pytest.raises(ValueError, match=r"y_true: expected shape \(0,\)"):
        plots.confusion(3, 3)
    with pytest.raises(ValueError, match="label_names: expected None for labels that are not integers"):
        plots.embedding(np.eye(4), names, label_names=["a", "b", "c"])


def test_names_are_written_as_they_are():
    y = np.arange(20) % 2
    plots.embedding(np.random.default_rng(0).random((20, 2)), y, label_names=["$\\frac$", "a_b"])
    plots.confusion(y, y, label_names=["$\\frac$", "a_b"]).figure.draw_without_rendering()


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
    with pytest.raises(ValueError, match="ax: expected an Axes in a figure, got an Axes that was removed"):
        draw(ax)
