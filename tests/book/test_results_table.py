"""The tables of measured runs are made from files."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import verdicts
from book_pages import ROOT
from bs4 import BeautifulSoup
from results_table import difference, duration, read_runs, shared_start, summarise
from sphinx.cmd.build import main as sphinx
from tables import rounded
from verdicts import GAP, judge

from dctutor.methods import Aim, registry


def recorded(method: str, seed: int, acc: float, **changes: object) -> dict:
    whole = {
        "method": method,
        "dataset": "mnist",
        "split": "all",
        "labels": 0,
        "profile": "full",
        "settings": {},
        "seed": seed,
        "metrics": {"acc": acc, "nmi": 0.8, "ari": 0.7},
        "seconds": 600.0,
        "n_iter": 20,
        "peak_memory_mb": 900.0,
        "config": {},
        "versions": {"dctutor": "0.1.0"},
        "processor": "a <fast> processor",
        "command": f"python -m dctutor run {method} mnist --seeds {seed}",
    } | changes
    return {"fit_on": whole["split"]} | whole


@pytest.fixture
def render(tmp_path: Path):
    source = tmp_path / "source"
    (source / "results").mkdir(parents=True)
    shutil.copy(ROOT / "book" / "references.bib", source)
    (source / "conf.py").write_text(
        'extensions = ["myst_parser", "sphinxcontrib.bibtex", "results_table", "verdicts", "family_table"]\n'
        'bibtex_bibfiles = ["references.bib"]\n',
        encoding="utf-8",
    )
    (source / "index.md").write_text(
        "# Page\n\n```{results-table} results\n```\n\n"
        "```{family-table} results\n:family: autoencoder\n:dataset: mnist-5k\n:profile: book\n"
        ":caption: Side by side\n```\n\n"
        "```{aims-table} results\n```\n\n```{published-table}\n```\n\n```{papers-table} results\n```\n\n"
        "```{profiles-table}\n```\n\n(why-dec)=\n## DEC and IDEC\n\n```{bibliography}\n:all:\n```\n",
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
    full, sample, _, published, papers, _ = soup.select("div.dc-table table")
    assert "MNIST" in full.caption.text and "full" in full.caption.text
    assert rows(full) == [
        ["DEC 3 seeds, 10 min per fit, dctutor 0.1.0"],
        ["ACC", "0.820 ± 0.020", "0.843", "−2.3 points, missed"],
        ["NMI", "0.800 ± 0.000", "–", ""],
        ["ARI", "0.700 ± 0.000", "–", ""],
        ["IDEC 2 seeds, 10 min per fit, dctutor 0.1.0"],
        ["ACC", "0.930 ± 0.014", "0.881", "+4.9 points"],
        ["NMI", "0.800 ± 0.000", "0.867", "−6.7 points, missed"],
        ["ARI", "0.700 ± 0.000", "–", ""],
    ]
    # A paper's figure is for other data, so there is nothing to compare with.
    assert rows(sample)[:2] == [["DEC 1 seed, 50 s per fit, dctutor 0.1.0"], ["ACC", "0.710", "–", ""]]
    assert rows(papers) == [
        ["IDEC MNIST", "ACC 0.881", "0.930", "+4.9 points"],
        ["IDEC MNIST", "NMI 0.867", "0.800", "−6.7 points, missed ( why )"],
        ["DEC MNIST", "ACC 0.843", "0.820", "−2.3 points, missed ( why )"],
    ]
    figures = [figure for entry in registry().values() for figure in entry.published]
    assert [row[0].split(" (")[0] for row in rows(published)] == [figure.name.split(" (")[0] for figure in figures]
    assert ["JULE-RC", "USPS", "0.950", "0.913", ""] in rows(published) and len(figures) > 20
    assert ["k-means", "HAPT, test split", "", "", "0.429"] in rows(published)
    assert "a <fast> processor" in soup.text
    assert "python -m dctutor run IDEC mnist --seeds 1" in soup.find("details").text
    entries = {tag["id"] for tag in soup.find_all(id=True)}
    assert {link["href"].split("#")[1] for link in soup.select("div.dc-table a")} <= entries


def test_methods_have_their_papers_names_and_unlike_data_are_marked(render) -> None:
    split = {"split": "test", "fit_on": "train", "labels": 1000}
    aecm = [recorded("AECM", seed, 0.9, processor="X, 1 thread") for seed in range(2)]
    soup = render([*aecm, recorded("DeepAutoencoderClustering", 0, 0.5, dataset="hapt", **split)])
    hapt, mnist = soup.select("div.dc-table table")[:2]
    assert rows(mnist)[:2] == [
        ["AE-CM 2 seeds, 10 min per fit, dctutor 0.1.0"],
        ["ACC", "0.900 ± 0.000", "not checked", ""],
    ]
    assert rows(hapt)[0][0].startswith("DAC 1 seed") and rows(hapt)[3][3] == "+14.1 points (other files)"
    assert rows(soup.select("div.dc-table table")[-2]) == [
        ["DAC HAPT, test split, 1,000 labels", "ARI 0.559", "0.700", "+14.1 points (other files)"]
    ]
    assert "Measured on: X, 1 thread." in soup.text and "original files" in soup.text


def table_of(soup: BeautifulSoup, caption: str):
    (table,) = [table for table in soup.select("table") if table.caption.text == caption]
    return table


def test_a_variant_is_a_row_of_its_own_that_says_what_was_set(render) -> None:
    ward = {"settings": {"noise": 0, "init": "ward"}, "versions": {"dctutor": "0.2.0"}}
    plain = [recorded("IDEC", seed, acc, seconds=60 + seed) for seed, acc in enumerate((0.90, 0.92))]
    variants = [recorded("IDEC", seed, acc, **ward) for seed, acc in enumerate((0.94, 0.96))]
    narrow = recorded("IDEC", 0, 0.5, settings={"widths": [9, 3]})
    soup = render([*variants, *plain, narrow, recorded("IDEC", 2, 0.92, versions={"dctutor": "0.2.0"})])
    found = rows(soup.select_one("div.dc-table table"))
    assert found[0] == ["IDEC 3 seeds, 60 s per fit, dctutor 0.1.0 and 0.2.0"] and found[1][1] == "0.913 ± 0.012"
    assert found[4] == ["IDEC variant init=ward, noise=0; 2 seeds, 10 min per fit, dctutor 0.2.0"]
    assert found[5][1] == "0.950 ± 0.014"
    assert found[8] == ["IDEC variant widths=[9, 3]; 1 seed, 10 min per fit, dctutor 0.1.0"]
    told = [(row[0], row[2]) for row in rows(table_of(soup, "Papers and runs")) if row[1].startswith("ACC")]
    assert told == [
        ("IDEC MNIST", "0.913"),
        ("IDEC MNIST; variant init=ward, noise=0", "0.950"),
        ("IDEC MNIST; variant widths=[9, 3]", "0.500"),
    ]
    aims = [(row[0], row[3]) for row in rows(table_of(soup, "Aims and runs")) if row[0].startswith("IDEC mnist")]
    assert [aim for aim in aims if "5k" not in aim[0]] == [
        ("IDEC mnist", "−0.7 points, missed"),
        ("IDEC mnist; variant init=ward, noise=0", "met"),
        ("IDEC mnist; variant widths=[9, 3]", "−42.0 points, missed"),
    ]


def test_a_run_from_the_shared_start_is_named_and_compared_with_no_paper(render) -> None:
    shared = {"settings": {"autoencoder": "mnist"}}
    ward = {"settings": {"autoencoder": "mnist", "init": "ward"}}
    augmented = {"settings": {"autoencoder": "mnist-augmented"}}
    runs = [recorded("IDEC", 0, 0.9, **changes) for changes in ({}, shared, ward, augmented)]
    sample = {"dataset": "mnist-5k", "profile": "book"}
    soup = render([*runs, recorded("AutoencoderKMeans", 0, 0.77, **sample, **shared), recorded("KMeans", 0, 0.5)])
    found = rows(soup.select_one("div.dc-table table"))
    heads = [row[0].partition("; ")[0] for row in found if len(row) == 1]
    assert heads == [
        "IDEC 1 seed, 10 min per fit, dctutor 0.1.0",
        "IDEC from the shared start, variant init=ward",
        "IDEC from the shared start",
        "IDEC from the shared start “mnist-augmented”",
        "k-means on the inputs 1 seed, 10 min per fit, dctutor 0.1.0",
    ]
    assert [row[2] for row in found if row[0] == "ACC"] == ["0.881", *3 * ["other start"], "–"]
    papers = {row[0] for row in rows(table_of(soup, "Papers and runs"))}
    assert papers == {"IDEC MNIST"}
    aims = [row[0] for row in rows(table_of(soup, "Aims and runs")) if row[0].startswith("IDEC")]
    assert aims == ["IDEC mnist-5k", "IDEC mnist", "IDEC mnist-5k; from the shared start"]
    side = [row[0] for row in rows(table_of(soup, "Side by side"))]
    assert side[0] == "Autoencoder + k-means (from the shared start)"


def test_an_aim_may_ask_for_the_shared_start(render, monkeypatch) -> None:
    sample = {"dataset": "mnist-5k", "profile": "book"}
    start = {"settings": {"autoencoder": "mnist"}}
    aims = (
        Aim(**sample, metric="acc", least=0.82, start="mnist"),
        Aim(**sample, metric="nmi", above=("AutoencoderKMeans",), start="mnist"),
        Aim(**sample, metric="ari", least=0.1),
    )
    entries = registry()
    monkeypatch.setattr(verdicts, "registry", lambda: entries | {"DEC": replace(entries["DEC"], aims=aims)})
    baselines = [recorded("AutoencoderKMeans", 0, 0.9, **sample, **changes) for changes in (start, {})]
    baselines[0]["metrics"]["nmi"] = 0.75
    soup = render([*baselines, recorded("DEC", 0, 0.83, **sample, **start), recorded("DEC", 0, 0.7, **sample)])
    found = [row for row in rows(table_of(soup, "Aims and runs")) if row[0].startswith("DEC")]
    assert found == [
        ["DEC mnist-5k; from the shared start", "ACC 0.820", "0.830", "met"],
        ["DEC mnist-5k; from the shared start", "NMI above Autoencoder + k-means, 0.750", "0.800", "met"],
        ["DEC mnist-5k", "ARI 0.100", "0.700", "met"],
    ]


def test_to_be_above_another_is_to_be_above_its_best_variant(render) -> None:
    rivals = [recorded(name, 0, 0.5) for name in ("DEC", "DCN", "IDEC")]
    soup = render([recorded("AECM", 0, 0.7), *rivals, recorded("DCN", 0, 0.8, settings={"noise": 0.2})])
    found = {row[0]: row[1:] for row in rows(table_of(soup, "Aims and runs"))}
    assert found["AE-CM mnist"] == ["ACC above DCN , 0.800", "0.700", "−10.0 points, missed"]


def test_profiles_are_listed(render) -> None:
    found = {row[0]: row[1:] for row in rows(table_of(render([]), "What the profiles set"))}
    assert found["DEPICT"][1] == "pretrain_epochs=60, start_epochs=2, weight_decay=0.03, epochs=20"
    assert found["CM"] == ["epochs=1", "epochs=20", ""] and found["DNC"][2] == "n_clusters=30"
    assert "GATCluster" not in found and "k-means" not in found


def test_groups_keep_settings_apart_however_they_are_written() -> None:
    one, other = {"noise": 0, "init": "ward"}, {"init": "ward", "noise": 0}
    found = summarise([recorded("DEC", 0, 0.8, settings=one), recorded("DEC", 1, 0.6, settings=other)])
    assert [(row["seeds"], row["settings"]) for row in found] == [(2, one)]
    told = [{"fit_on": "train"}, {"labels": 7}, {"split": "test"}, {"profile": "book"}, {"dataset": "usps"}]
    told += [{"settings": one}, {"method": "DCN"}, {}]
    assert len(summarise([recorded("DEC", 0, 0.8) | changes for changes in told])) == len(told)


def test_a_file_that_holds_no_whole_run_is_no_row(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(recorded("DEC", 0, 0.8)), encoding="utf-8")
    assert len(read_runs(tmp_path)) == 1
    (tmp_path / "b.json").write_text(json.dumps(recorded("DEC", 0, 7)), encoding="utf-8")
    with pytest.raises(ValueError, match=r"b\.json does not hold a whole run: metrics: expected acc and nmi in"):
        read_runs(tmp_path)


@pytest.mark.parametrize(
    ("value", "text"), [(0.8806, "0.881"), (0.0625, "0.062"), (0.7145, "0.714"), (0.8635, "0.864"), (1, "1.000")]
)
def test_figures_are_rounded_as_pandas_does_in_the_notebooks(value: float, text: str) -> None:
    assert rounded(value) == text == f"{pd.Series([value], dtype=float).round(3)[0]:.3f}"


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
    assert found["DEC mnist", "ACC"] == ["ACC 0.880", "0.880", "met"]
    assert found["IDEC mnist", "ACC"] == ["ACC 0.920", "0.915", "−0.5 points, missed"]
    assert found["AE-CM mnist", "ACC"] == ["ACC above IDEC , 0.915", "0.900", "−1.5 points, missed"]
    assert found["DEN mnist-5k", "ACC"] == ["ACC above Autoencoder + k-means, 0.500", "0.600", "met"]
    assert found["DEN mnist-5k", "NMI"] == ["NMI above Autoencoder + k-means, 0.800", "0.800", "level, missed"]
    assert found["DEPICT mnist-5k", "ACC"] == ["ACC 0.850", "not recorded", ""]


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


def test_every_gap_to_a_paper_has_a_written_search_for_its_cause() -> None:
    runs = [row for row in summarise(read_runs(ROOT / "book" / "results")) if shared_start(row) is None]
    page = (ROOT / "book" / "results.md").read_text(encoding="utf-8")
    checked = 0
    for key, entry in registry().items():
        for figure in entry.published:
            data = key, figure.dataset, figure.split
            rows = [row for row in runs if (row["method"], row["dataset"], row["split"]) == data]
            gaps = [figure.metrics[name] - row["mean"][name] for row in rows for name in figure.metrics]
            if max(gaps, default=0) > GAP:
                checked += 1
                assert entry.why and f"({entry.why})=\n" in page, (
                    f"{key}: expected a section that searches for the cause"
                )
    assert checked >= 3  # DEPICT, DSC-Nets and DAC are below their papers
