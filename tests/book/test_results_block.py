"""A chapter's block of results shows recorded runs, each start by its name, as a picture and as a table."""

import json
import re
import shutil
from pathlib import Path

import pytest
from book_pages import ROOT
from bs4 import BeautifulSoup
from sphinx.cmd.build import main as sphinx
from tables import points, rounded
from test_results_table import recorded, rows

SHARED = {"settings": {"autoencoder": "mnist"}}
SAMPLE = {"dataset": "mnist-5k", "profile": "book"}


@pytest.fixture
def render(tmp_path: Path):
    source = tmp_path / "source"
    (source / "book" / "results").mkdir(parents=True)
    shutil.copy(ROOT / "book" / "references.bib", source)
    (source / "conf.py").write_text(
        'extensions = ["myst_parser", "sphinxcontrib.bibtex", "results_block"]\nbibtex_bibfiles = ["references.bib"]\n',
        encoding="utf-8",
    )
    (source / "book" / "results.md").write_text("# Measured runs\n", encoding="utf-8")

    def build(runs: list[dict], directive: str) -> BeautifulSoup:
        page = f"# Page\n\n```{{results-block}} {directive}\n```\n\n```{{bibliography}}\n:all:\n```\n"
        page += "\n```{toctree}\nbook/results\n```\n"
        (source / "index.md").write_text(page, encoding="utf-8")
        for number, run in enumerate(runs):
            (source / "book" / "results" / f"{number}.json").write_text(json.dumps(run), encoding="utf-8")
        out = tmp_path / "out"
        assert sphinx(["-Wq", str(source), str(out)]) == 0
        return BeautifulSoup((out / "index.html").read_text(encoding="utf-8"), "html.parser")

    return build


def of_idec() -> list[dict]:
    runs = [recorded("KMeans", seed, acc, **SAMPLE) for seed, acc in enumerate((0.52, 0.54))]
    runs += [recorded("KMeans", 0, 0.55), recorded("AutoencoderKMeans", 0, 0.77, **SAMPLE, **SHARED)]
    runs += [recorded("AutoencoderKMeans", 0, 0.65, **SAMPLE)]  # no start of this page
    runs += [recorded("IDEC", seed, acc, **SAMPLE, **SHARED) for seed, acc in enumerate((0.80, 0.82, 0.84))]
    runs += [recorded("IDEC", 0, 0.71, **SAMPLE), recorded("IDEC", 0, 0.91), recorded("IDEC", 0, 0.9, **SHARED)]
    runs += [recorded("IDEC", 0, 0.94, settings={"init": "ward"})]
    # Another method, another start, another profile of the baseline, labels, another split.
    runs += [recorded("DEC", 0, 0.1), recorded("IDEC", 0, 0.1, settings={"autoencoder": "mnist-augmented"})]
    runs += [recorded("KMeans", 0, 0.1, profile="book"), recorded("IDEC", 0, 0.1, labels=5)]
    return [*runs, recorded("IDEC", 0, 0.1, split="test")]


def test_rows_go_from_k_means_to_the_paper_and_name_their_start(render) -> None:
    soup = render(of_idec(), "IDEC")
    found = rows(soup.select_one(".dc-block details table"))
    sample, whole = "MNIST, 5,000 images", "MNIST, all 70,000 images"
    assert [head for (head,) in found[::2]] == [
        f"k-means on the pixels {sample}",
        f"Shared start: k-means on its codes {sample}",
        f"This page: IDEC, from the shared start {sample}",
        f"IDEC, own pre-training {sample}",
        f"k-means on the pixels {whole}",
        f"IDEC, own pre-training {whole}",
        f"IDEC, own pre-training, variant init=ward {whole}",
        f"IDEC, from the shared start {whole}",
        f"Paper’s figure: IDEC {whole}",
    ]
    figures = found[1::2]
    assert figures[0] == ["53.0 ± 1.4", "80.0 ± 0.0", "70.0 ± 0.0", "2"]
    assert figures[2] == ["82.0 ± 2.0", "80.0 ± 0.0", "70.0 ± 0.0", "3"]
    assert figures[3] == ["71.0", "80.0", "70.0", "1"]
    assert figures[8] == ["88.1", "86.7", "–", "–"]
    assert "book/results.html" in [link["href"] for link in soup.select(".dc-block p a")]
    entries = {tag["id"] for tag in soup.find_all(id=True)}
    assert soup.select_one(".dc-block details a")["href"].removeprefix("#") in entries


def place(mark, name: str) -> float:
    """Where a mark stands, as the ACC that the axis shows there."""
    marks = mark.find_parents("svg")[-1].select(".dc-tick")[:-1]  # the last is the axis' name
    ticks = [(float(tick["x"].rstrip("%")), float(tick.text)) for tick in marks]
    (left, low), (right, high) = ticks[0], ticks[-1]
    return low + (float(mark[name].rstrip("%")) - left) / (right - left) * (high - low)


def test_the_picture_has_a_dot_per_seed_and_marks_for_mean_paper_and_k_means(render) -> None:
    svg = render(of_idec(), "IDEC").select_one(".dc-block > svg")
    (page,) = [group for group in svg.select("g.dc-shared") if len(group.select("circle")) == 3]
    assert [place(dot, "cx") for dot in page.select("circle")] == pytest.approx([80, 82, 84], abs=0.05)
    assert place(page.select_one(".dc-mean"), "x1") == pytest.approx(82, abs=0.05)
    assert [len(svg.select(f"g.dc-{kind}")) for kind in ("baseline", "shared", "own")] == [2, 3, 3]
    (paper,) = svg.select(".dc-paper")
    assert place(paper, "x") == pytest.approx(88.06, abs=0.05)
    lines = {round(place(line, "x1"), 1) for line in svg.select(".dc-base")}
    assert lines == {53.0, 55.0}  # one for each data set
    assert svg["role"] == "img" and "viewbox" not in svg.attrs  # letters keep their size on a phone
    assert "This page: IDEC, from the shared start 82.0 ± 2.0, 3 seeds;" in svg["aria-label"]
    assert "Paper’s figure: IDEC 88.1." in svg["aria-label"]


def test_the_axis_reaches_down_to_the_lowest_seed(render) -> None:
    svg = render([recorded("DEC", 0, 0.23), recorded("DEC", 1, 0.5)], "DEC").select_one(".dc-block > svg")
    assert svg.select_one(".dc-tick").text == "20"
    assert [place(dot, "cx") for dot in svg.select("circle")] == pytest.approx([23, 50], abs=0.05)


def test_a_page_may_have_two_methods_and_other_data(render) -> None:
    runs = [recorded("DSCNet", 0, 0.97, dataset="coil-20"), recorded("DEN", 0, 0.78, dataset="coil-20")]
    found = rows(render(runs, "DEN DSCNet\n:dataset: coil-20").select_one("details table"))
    assert [head.partition(" COIL")[0] for (head,) in found[::2]] == [
        "DEN, own pre-training",
        "DSC-Nets, own pre-training",
        "Paper’s figure: DEN",
        "Paper’s figure: DSC-Net-L2",
    ]


def test_methods_without_pre_training_are_not_said_to_have_one(render) -> None:
    soup = render([recorded("ClusteringModule", 0, 0.5)], "ClusteringModule")
    assert rows(soup.select_one("details table"))[0] == ["CM, has no pre-training MNIST, all 70,000 images"]


def test_long_settings_are_left_to_the_page_of_runs(render) -> None:
    settings = {f"argument_{number}": number for number in range(9)}
    soup = render([recorded("DEC", 0, 0.5, settings=settings)], "DEC")
    assert "DEC, own pre-training, with other settings than its defaults" in soup.select_one("details").get_text()


def test_a_block_without_runs_says_so(render) -> None:
    assert "No run is recorded yet" in render([], "AECM").text


@pytest.mark.parametrize(
    ("directive", "message"),
    [
        ("DECK", r"results-block: expected names in dctutor\.methods, got 'DECK'"),
        ("DEC\n:dataset: minst", "dataset: expected one of .*mnist.*got 'minst'"),
    ],
)
def test_unknown_names_end_the_build(render, capsys, directive: str, message: str) -> None:
    with pytest.raises(AssertionError):
        render([], directive)
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.parametrize("value", [0.7975, 0.8806, 0.0625, 0.8635, 0.29, 1.0, 0.9999])
def test_points_show_the_digits_of_the_fraction(value: float) -> None:
    assert points(value).replace(".", "") == rounded(value).replace(".", "").lstrip("0")
