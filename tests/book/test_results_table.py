"""The tables of measured runs are made from files."""

import json
import shutil
from pathlib import Path

import pytest
from book_pages import ROOT
from bs4 import BeautifulSoup
from results_table import difference, duration, summarise
from sphinx.cmd.build import main as sphinx
from verdicts import judge


def recorded(method: str, seed: int, acc: float, **changes: object) -> dict:
    return {
        "method": method,
        "dataset": "mnist",
        "split": "all",
        "profile": "full",
        "seed": seed,
        "metrics": {"acc": acc, "nmi": 0.8, "ari": 0.7},
        "seconds": 600.0,
        "peak_memory_mb": 900.0,
        "config": {},
        "versions": {},
        "processor": "a <fast> processor",
        "command": f"python -m dctutor run {method} mnist --seeds {seed}",
    } | changes


@pytest.fixture
def render(tmp_path: Path):
    source = tmp_path / "source"
    (source / "results").mkdir(parents=True)
    shutil.copy(ROOT / "book" / "published.json", source)
    shutil.copy(ROOT / "book" / "aims.json", source)
    shutil.copy(ROOT / "book" / "references.bib", source)
    (source / "conf.py").write_text(
        'extensions = ["myst_parser", "sphinxcontrib.bibtex", "results_table", "verdicts", "family_table"]\n'
        'bibtex_bibfiles = ["references.bib"]\n',
        encoding="utf-8",
    )
    (source / "index.md").write_text(
        "# Page\n\n```{results-table} results\n:published: published.json\n```\n\n"
        "```{family-table} results\n:family: autoencoder\n:dataset: mnist-5k\n:profile: book\n"
        ":caption: Side by side\n```\n\n"
        "```{aims-table} aims.json\n:results: results\n```\n\n"
        "```{published-table} published.json\n```\n\n"
        "```{papers-table} results\n:published: published.json\n```\n\n```{bibliography}\n:all:\n```\n",
        encoding="utf-8",
    )

    def build(runs: list[dict]) -> BeautifulSoup:
        for number, run in enumerate(runs):
            (source / "results" / f"{number}.json").write_text(json.dumps(run), encoding="utf-8")
        out = tmp_path / "out"
        assert sphinx(["-Wq", str(source), str(out)]) == 0
        return BeautifulSoup((out / "index.html").read_text(encoding="utf-8"), "html.parser")

    return build


def rows(table) -> list[list[str]]:
    return [[cell.get_text(" ", strip=True) for cell in row.find_all(["th", "td"])] for row in table.select("tbody tr")]


def test_means_over_seeds_stand_beside_the_papers(render) -> None:
    soup = render(
        [recorded("DEC", seed, acc) for seed, acc in enumerate((0.80, 0.82, 0.84))]
        + [recorded("IDEC", seed, acc) for seed, acc in enumerate((0.92, 0.94))]
        + [recorded("DEC", 0, 0.71, dataset="mnist-5k", profile="book", seconds=50.0)]
    )
    full, sample, _, published, papers = soup.select("div.dc-table table")
    assert "MNIST" in full.caption.text and "full" in full.caption.text
    assert rows(full) == [
        ["DEC 3 seeds, 10 min a fit"],
        ["ACC", "0.820 ± 0.020", "0.843", "−2.3 points, missed"],
        ["NMI", "0.800 ± 0.000", "–", ""],
        ["ARI", "0.700 ± 0.000", "–", ""],
        ["IDEC 2 seeds, 10 min a fit"],
        ["ACC", "0.930 ± 0.014", "0.881", "+4.9 points"],
        ["NMI", "0.800 ± 0.000", "0.867", "−6.7 points, missed"],
        ["ARI", "0.700 ± 0.000", "–", ""],
    ]
    # A paper's figure is for other data, so there is nothing to compare with.
    assert rows(sample)[:2] == [["DEC 1 seed, 50 s a fit"], ["ACC", "0.710", "–", ""]]
    assert rows(papers) == [
        ["DEC MNIST", "ACC 0.843", "0.820", "−2.3 points, missed"],
        ["IDEC MNIST", "ACC 0.881", "0.930", "+4.9 points"],
        ["IDEC MNIST", "NMI 0.867", "0.800", "−6.7 points, missed"],
    ]
    assert len(rows(published)) == len(json.loads((ROOT / "book/published.json").read_text())["figures"])
    assert "a <fast> processor" in soup.text
    assert "python -m dctutor run IDEC mnist --seeds 1" in soup.find("details").text
    entries = {tag["id"] for tag in soup.find_all(id=True)}
    assert {link["href"].split("#")[1] for link in soup.select("div.dc-table a")} <= entries


def test_methods_have_their_papers_names_and_unlike_data_are_marked(render) -> None:
    split = {"split": "test", "fit_on": "train", "labels": 1000}
    aecm = [recorded("AECM", seed, 0.9, processor=f"X, 1 {word}") for seed, word in enumerate(("thread", "threads"))]
    soup = render([*aecm, recorded("DeepAutoencoderClustering", 0, 0.5, dataset="hapt", **split)])
    hapt, mnist = soup.select("div.dc-table table")[:2]
    assert rows(mnist)[:2] == [["AE-CM 2 seeds, 10 min a fit"], ["ACC", "0.900 ± 0.000", "not checked", ""]]
    assert rows(hapt)[0][0].startswith("DAC 1 seed") and rows(hapt)[3][3] == "+14.1 points (other files)"
    assert rows(soup.select("div.dc-table table")[-1]) == [
        ["DAC HAPT, test split, 1,000 labels", "ARI 0.559", "0.700", "+14.1 points (other files)"]
    ]
    assert "Measured on: X, 1 thread." in soup.text and "original files" in soup.text


def test_a_row_says_what_was_set_and_the_least_time(render) -> None:
    command = "python -m dctutor run DEC mnist --set noise=0 --set 'widths=[9, 3]' --seeds"
    soup = render([recorded("DEC", seed, 0.9, command=f"{command} {seed}", seconds=60 + seed) for seed in range(2)])
    assert rows(soup.select_one("div.dc-table table"))[0] == ["DEC 2 seeds, 60 s a fit; noise=0, widths=[9, 3]"]


def test_a_family_stands_side_by_side_behind_the_baseline(render) -> None:
    sample = {"dataset": "mnist-5k", "profile": "book"}
    soup = render(
        [recorded("IDEC", seed, acc, **sample, seconds=80.0) for seed, acc in enumerate((0.7, 0.8))]
        + [recorded("AutoencoderKMeans", 0, 0.6, **sample, peak_memory_mb=1536.0)]
        + [recorded("DEC", 0, 0.9, **sample), recorded("IDEC", 2, 0.1)]  # another family, another data set
    )
    (table,) = [table for table in soup.select("table") if table.caption.text == "Side by side"]
    (_, baseline), (name, figures) = rows(table)[:2], rows(table)[2:]
    assert baseline == ["0.600", "0.800", "0.700", "10 min", "1.5 GB"]
    assert name[0].startswith("IDEC Assumes") and figures == ["0.750", "0.800", "0.700", "80 s", "0.9 GB"]
    assert table.find("a")["href"].startswith("#")


def test_page_without_runs_says_so(render) -> None:
    assert "No run is recorded yet" in render([]).text


def test_seed_recorded_twice_counts_once() -> None:
    (row,) = summarise([recorded("DEC", 0, 0.5), recorded("DEC", 0, 0.9)])
    assert row["seeds"] == 1 and row["mean"]["acc"] == 0.9


def test_aims_are_met_or_missed(render) -> None:
    sample = {"dataset": "mnist-5k", "profile": "book"}
    soup = render(
        [recorded(method, 0, acc) for method, acc in (("AECM", 0.9), ("DEC", 0.88), ("IDEC", 0.915), ("DCN", 0.8))]
        + [recorded("DEN", 0, 0.6, **sample), recorded("AutoencoderKMeans", 0, 0.5, **sample)]
    )
    (table,) = [table for table in soup.select("table") if table.caption.text == "Aims and runs"]
    found = {(row[0], row[1][:3]): row[1:] for row in rows(table)}
    assert found["DEC mnist", "ACC"] == ["ACC 0.88", "0.880", "met"]
    assert found["IDEC mnist", "ACC"] == ["ACC 0.92", "0.915", "−0.5 points, missed"]
    assert found["AE-CM mnist", "ACC"] == ["ACC above IDEC , 0.915", "0.900", "−1.5 points, missed"]
    assert found["DEN mnist-5k", "ACC"] == ["ACC above AutoencoderKMeans, 0.500", "0.600", "met"]
    assert found["DEN mnist-5k", "NMI"] == ["NMI above AutoencoderKMeans, 0.800", "0.800", "level, missed"]
    assert found["DEPICT mnist-5k", "ACC"] == ["ACC 0.80", "not recorded", ""]


def test_an_aim_waits_for_all_its_rivals_and_leaves_out_other_fits(render) -> None:
    other = recorded("DEC", 1, 0.1, fit_on="train")
    soup = render([recorded("AECM", 0, 0.9), recorded("DEC", 0, 0.89), other])
    (table,) = [table for table in soup.select("table") if table.caption.text == "Aims and runs"]
    found = {row[0]: row[1:] for row in rows(table)}
    assert found["AE-CM mnist"] == ["ACC above DEC , 0.890", "0.900", ""]


@pytest.mark.parametrize(("strict", "text"), [(False, "met"), (True, "level, missed")])
def test_to_be_above_is_more_than_to_reach(strict: bool, text: str) -> None:
    assert judge(0.5, 0.5, strict=strict) == text


@pytest.mark.parametrize(
    ("here", "paper", "text"),
    [
        (0.9, 0.88, "+2.0 points"),
        (0.88, 0.88, "+0.0 points"),
        (0.8, 0.88, "−8.0 points, missed"),
        (0.8797, 0.88, "less than 0.1 points below, missed"),
    ],
)
def test_difference_is_in_words(here: float, paper: float, text: str) -> None:
    assert difference(here, paper) == text


@pytest.mark.parametrize(("seconds", "text"), [(59.6, "60 s"), (600, "10 min"), (10800, "3.0 h")])
def test_duration_is_readable(seconds: float, text: str) -> None:
    assert duration(seconds) == text
