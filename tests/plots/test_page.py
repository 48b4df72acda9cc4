"""Figures as a notebook shows them."""

import html
import pickle
import re

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from dctutor import plots
from dctutor.plots._page import figure_html

INK = "#1f2328"


def shown(figure):
    return figure_html(figure, "An example.", ink=INK)


def panels(page):
    return re.findall(r"<svg .*?</svg>", page, re.DOTALL)


def two_panels(**options):
    with plots.style():
        figure, axes = plt.subplots(1, 2, figsize=(7, 2.5), **options)
        for ax, name in zip(axes, ("before", "after"), strict=True):
            ax.plot([0, 1], [0, 1])
            ax.set(title=name, xlabel="epoch")
    return figure


def test_a_notebook_stores_the_page_and_no_picture():
    source = """
from dctutor import plots
import matplotlib.pyplot as plt
with plots.style():
    figure, ax = plt.subplots()
    ax.set(title="loss & more", xlabel="epoch", ylabel="loss")
ax.set_xlabel("step");"""
    notebook = NotebookClient(
        nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(source), nbformat.v4.new_code_cell("plt.figure().add_subplot();")]
        ),
        kernel_name="python3",
    ).execute()
    (page,), (plain,) = (cell.outputs for cell in notebook.cells)
    assert set(page["data"]) == {"text/html", "text/plain"}
    assert 'role="img" aria-label="Figure: loss &amp; more: loss against step."' in page["data"]["text/html"]
    assert set(plain["data"]) == {"image/png", "text/plain"}  # a figure of the reader's own stays what it was


def test_panels_that_have_no_room_beside_each_other_are_taken_apart():
    drawn = panels(shown(two_panels()))
    assert [re.findall("before|after", svg) for svg in drawn] == [["before"], ["after"]]
    assert all(svg.count(">epoch<") == 1 for svg in drawn)


def test_panels_stay_together_where_something_belongs_to_all():
    figure = two_panels()
    figure.suptitle("both")
    (together,) = panels(shown(figure))
    assert "both" in together and "before" in together and "after" in together
    assert len(panels(shown(plots.prototypes(np.zeros((4, 4)), image_shape=(1, 2, 2))))) == 1  # narrow enough


def test_axes_over_each_other_and_colour_bars_are_one_panel():
    figure = two_panels()
    second = figure.axes[0].twinx()
    second.set_ylabel("right")
    points = figure.axes[1].scatter([0, 1], [0, 1], c=[0, 1])
    figure.colorbar(points, ax=figure.axes[1], label="bar")
    first, last = panels(shown(figure))
    assert ">right<" in first and ">bar<" in last


def test_columns_of_images_stay_columns():
    titles = [f"cluster {k}" for k in range(10)]
    figure = plots.prototypes(np.zeros((20, 4)), image_shape=(1, 2, 2), titles=titles)
    assert [ax.get_title() for ax in figure.axes] == titles + [""] * 10
    drawn = panels(shown(figure))
    assert [re.findall("cluster .", svg) for svg in drawn] == [[title] for title in titles]
    assert all(svg.count("<image") == 2 for svg in drawn)
    with pytest.raises(ValueError, match="titles: expected 20 entries, one per image, or 10, one per column, got 3"):
        plots.prototypes(np.zeros((20, 4)), image_shape=(1, 2, 2), titles="abc")


def test_ink_and_ground_are_the_pages():
    with plots.style():
        figure, ax = plt.subplots()
        ax.plot([0, 1], [0, 1], color="black", label="line")
        ax.plot([0, 1], [1, 0], color="#bd1f01")
        ax.legend(frameon=True, facecolor="white")
    page = shown(figure)
    for colour in (INK, "#000000", "#ffffff"):
        assert colour not in page
    assert "stroke: currentColor" in page and "#bd1f01" in page and "font-family" not in page
    assert figure.get_facecolor() == (1, 1, 1, 1)


@pytest.mark.parametrize("layout", ["constrained", "none"])
def test_a_figure_is_left_as_it_is(layout, tmp_path):
    figure = two_panels(layout=layout)
    figure.savefig(tmp_path / "before.png")
    before = figure.get_size_inches().tolist(), figure.dpi, type(figure.get_layout_engine())
    shown(figure)
    assert (figure.get_size_inches().tolist(), figure.dpi, type(figure.get_layout_engine())) == before
    figure.savefig(tmp_path / "after.png")
    np.testing.assert_array_equal(plt.imread(tmp_path / "before.png"), plt.imread(tmp_path / "after.png"))
    assert pickle.loads(pickle.dumps(figure)).axes[0].get_title() == "before"


def test_ids_of_figures_differ_and_lead_somewhere():
    pages = [shown(two_panels()), shown(plots.compare({"DEC": {"$x$": 0.5}, "a": {"$x$": 0.2}}).figure)]
    ids = [set(re.findall(r' id="([^"]+)"', page)) for page in pages]
    assert ids[0] and not ids[0] & ids[1]
    for page, known in zip(pages, ids, strict=True):
        assert set(re.findall(r'(?:href="|url\()#([^")]+)', page)) == known
        assert shown(two_panels()) == pages[0]  # the same output on each run


def test_many_points_are_an_image():
    points = np.random.default_rng(0).normal(size=(5000, 2))
    with plots.style():
        figure, ax = plt.subplots()
        ax.scatter(*points.T)
        ax.scatter([0], [0], marker="x")
    page = shown(figure)
    assert page.count("<image") == 1 and page.count("<use") < 40 and len(page) < 200_000
    assert not any(drawn.get_rasterized() for drawn in ax.collections)


def test_the_text_of_a_figure_can_be_replaced():
    alt = 'Loss "falls" & rests at 5 < 6.'
    page = plots.described(shown(two_panels()) + "<p>An example.</p>", alt)
    assert page.count(f'aria-label="{html.escape(alt)}"') == 1 and "<p>An example.</p>" in page
    assert plots.described("<table></table>", alt) == "<table></table>"
