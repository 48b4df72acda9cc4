"""The directives ``results-table`` and ``published-table``: measured runs beside the papers' figures.

``profiles-table`` shows what a run's profile sets. All of it is read while the book is built; no figure is typed into a
page.
"""

import json
import tomllib
from collections import defaultdict
from functools import partial
from html import escape
from pathlib import Path
from statistics import mean, stdev

from citations import citation_address, method_link
from docutils import nodes
from late import LateNode
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from tables import framed_table, rounded

from dctutor.experiments import read_result
from dctutor.methods import registry

METRICS = ("acc", "nmi", "ari")
DATASETS = tomllib.loads((Path(__file__).parents[1] / "datasets.toml").read_text(encoding="utf-8"))


def read_runs(folder: Path) -> list[dict]:
    """Read every recorded run, in a fixed order; a file that holds no whole one is an error."""
    return [read_result(path) for path in sorted(folder.glob("**/*.json"))]


def summarise(runs: list[dict]) -> list[dict]:
    """Group runs that differ in their seed only, and average them; a method's variants follow it.

    A seed that was recorded twice counts once: the file that sorts last stands.
    """
    groups: dict[tuple, dict[int, dict]] = defaultdict(dict)
    for run in runs:
        told = run["fit_on"], run["labels"], json.dumps(run["settings"] or None, sort_keys=True)
        groups[run["dataset"], run["split"], run["profile"], run["method"], *told][run["seed"]] = run
    rows = []
    order = sorted(groups.items(), key=lambda group: (*group[0][:-1], group[0][-1] != "null", group[0][-1]))
    for (dataset, split, profile, method, fit_on, labels, settings), seeds in order:
        values = {name: [run["metrics"][name] for run in seeds.values()] for name in METRICS}
        rows.append(
            {
                "dataset": dataset,
                "split": split,
                "profile": profile,
                "method": method,
                "fit_on": fit_on,
                "labels": labels,
                "seeds": len(seeds),
                "values": values,
                "mean": {name: mean(found) for name, found in values.items()},
                "spread": {name: stdev(found) if len(found) > 1 else None for name, found in values.items()},
                # The least disturbed one: most runs shared their machine with other work.
                "seconds": min(run["seconds"] for run in seeds.values()),
                "settings": json.loads(settings) or {},
                "versions": sorted({run["versions"]["dctutor"] for run in seeds.values()}),
                "memory_mb": max(run["peak_memory_mb"] or 0 for run in seeds.values()) or None,
                "processors": sorted({run["processor"] for run in seeds.values()}),
                "commands": sorted({run["command"] for run in seeds.values()}),
            }
        )
    return rows


def whole_fits(rows: list[dict]) -> list[dict]:
    """Keep what was fitted without labels on all of a data set, and scored there."""
    return [row for row in rows if row["split"] == row["fit_on"] == "all" and not row["labels"]]


def settings_text(settings: dict) -> str:
    """Write settings as the command line takes them."""
    values = {name: value if isinstance(value, str) else json.dumps(value) for name, value in settings.items()}
    return ", ".join(f"{name}={value}" for name, value in values.items())


def shared_start(row: dict) -> str | None:
    """Name the bundled autoencoder that a row's runs started from, or None where they had their own pre-training."""
    return row["settings"].get("autoencoder")


def variant(row: dict) -> str:
    """Name what a row was run with beside its profile, or nothing if it is the method as the profile has it."""
    start = shared_start(row)
    others = {name: value for name, value in row["settings"].items() if name != "autoencoder" or start is None}
    # A data set and its sample have one start in common; any other is named.
    usual = start == row["dataset"].removesuffix("-5k")
    told = [] if start is None else ["from the shared start" if usual else f"from the shared start “{start}”"]
    return ", ".join([*told, f"variant {settings_text(others)}"] if others else told)


def difference(here: float, paper: float) -> str:
    """Put a difference in words: percentage points, and ``missed`` where the run is below the paper."""
    points = rounded(100 * abs(here - paper), 1)
    if here >= paper:
        return f"+{points} points"
    return f"−{points} points, missed" if points != "0.0" else "less than 0.1 points below, missed"


def duration(seconds: float) -> str:
    """Write seconds as a person would read them."""
    if seconds < 120:
        return f"{rounded(seconds, 0)} s"
    return f"{rounded(seconds / 60, 0)} min" if seconds < 7200 else f"{rounded(seconds / 3600, 1)} h"


def data_name(dataset: str, split: str) -> str:
    """Name a data set for readers, and its split where that is not the whole."""
    name = DATASETS.get(dataset, {}).get("name", dataset)
    return name if split == "all" else f"{name}, {split} split"


def has_other_files(dataset: str) -> bool:
    """Whether the papers used other files of a data set than those here."""
    return DATASETS.get(dataset, {}).get("re_extracted", False)


def _results_rows(app: Sphinx, docname: str, row: dict) -> str:
    # A row that names the method, then one per measure: four columns, so that a phone shows all of them.
    told = [f"{row['seeds']} seed{'s' if row['seeds'] > 1 else ''}", f"{duration(row['seconds'])} per fit"]
    told += [f"on the {row['fit_on']} split"] if row["fit_on"] != row["split"] else []
    told += [f"{row['labels']:,} labels"] if row["labels"] else []
    told += [f"dctutor {' and '.join(row['versions'])}"]
    text = "; ".join(filter(None, [variant(row), ", ".join(told)]))
    lines = [
        f'<tr><th scope="rowgroup" colspan="4">{method_link(app, docname, row["method"])} '
        f'<span class="dc-none">{escape(text)}</span></th></tr>'
    ]
    entries = registry()
    entry = entries.get(row["method"])
    figures = entry.published if entry else ()
    paper = next((f for f in figures if (f.dataset, f.split) == (row["dataset"], row["split"])), None)
    # Of the book's own samples no paper has a figure, whether or not its tables were at hand.
    used = any(figure.dataset == row["dataset"] for other in entries.values() for figure in other.published)
    absent = "not checked" if used and entry and not entry.figures_checked else "–"
    for name in METRICS:
        spread = row["spread"][name]
        here = rounded(row["mean"][name]) + (f" ± {rounded(spread)}" if spread is not None else "")
        there, gap = f'<span class="dc-none">{absent}</span>', ""
        if paper and name in paper.metrics and shared_start(row):  # the paper's figure is for its own pre-training
            there = '<span class="dc-none">other start</span>'
        elif paper and name in paper.metrics:
            address = escape(citation_address(app, docname, paper.cite))
            there = f'<a href="{address}">{rounded(paper.metrics[name])}</a>'
            gap = difference(row["mean"][name], paper.metrics[name])
            gap += " (other files)" if has_other_files(row["dataset"]) else ""
        missed = ' class="dc-missed"' if "missed" in gap else ""
        lines.append(
            f'<tr><th scope="row">{name.upper()}</th><td class="dc-figure">{here}</td>'
            f"<td>{there}</td><td{missed}>{gap}</td></tr>"
        )
    return "".join(lines)


def results_html(app: Sphinx, docname: str, rows: list[dict]) -> str:
    """Write one table for each data set, split and profile."""
    if not rows:
        return "<p>No run is recorded yet.</p>"
    tables: dict[tuple, list[dict]] = defaultdict(list)
    for row in rows:
        tables[row["dataset"], row["split"], row["profile"]].append(row)
    profile = app.env.get_domain("py").objects.get("dctutor.experiments.profile")
    parts = []
    if profile:
        link = f'<a href="{app.builder.get_relative_uri(docname, profile.docname)}">Recorded runs</a>'
        parts.append(f'<p class="dc-note">A <em>profile</em> is a set of arguments, listed under {link}.</p>')
    for (dataset, split, profile), members in tables.items():
        again = has_other_files(dataset)
        caption = f"{data_name(dataset, split)}{', re-extracted' if again else ''}, profile “{profile}”"
        bodies = [_results_rows(app, docname, row) for row in members]
        where = "; ".join(sorted({processor for row in members for processor in row["processors"]}))
        parts.append(framed_table(caption, ["Measure", "Here", "Paper", "Difference"], bodies))
        note = f"Measured on: {escape(where)}."
        if again:
            note += " The features were extracted anew from the signals; the paper used the original files."
        parts.append(f'<p class="dc-note">{note}</p>')
    commands = "\n".join(sorted({command for row in rows for command in row["commands"]}))
    parts.append(
        '<details class="dc-commands"><summary>Commands that recorded these runs</summary>'
        f'<pre tabindex="0">{escape(commands)}</pre></details>'
    )
    return "".join(parts)


def published_html(app: Sphinx, docname: str) -> str:
    """Write every published figure in one table."""
    rows = []
    for figure in (figure for entry in registry().values() for figure in entry.published):
        cells = "".join(
            f"<td>{rounded(figure.metrics[name])}</td>" if name in figure.metrics else "<td></td>" for name in METRICS
        )
        note = f' <span class="dc-none">({escape(figure.note)})</span>' if figure.note else ""
        link = f'<a href="{escape(citation_address(app, docname, figure.cite))}">{escape(figure.name)}</a>'
        data = escape(data_name(figure.dataset, figure.split))
        rows.append(f'<tr><th scope="row">{link}{note}</th><td>{data}</td>{cells}</tr>')
    return framed_table(
        "What the papers report", ["Method", "Data", *(name.upper() for name in METRICS)], ["".join(rows)]
    )


def profiles_html(app: Sphinx, docname: str) -> str:
    """Write what each profile sets for each method, in place of its defaults."""
    heads = list(dict.fromkeys(name for entry in registry().values() for name in entry.profiles))
    rows = []
    for key, entry in registry().items():
        cells = "".join(f"<td>{escape(settings_text(entry.profiles.get(name, {})))}</td>" for name in heads)
        if entry.profiles:
            rows.append(f'<tr><th scope="row">{method_link(app, docname, key)}</th>{cells}</tr>')
    return framed_table("What the profiles set", ["Method", *heads], ["".join(rows)])


class RunsDirective(SphinxDirective):
    """Runs in the folder of the argument, relative to the page."""

    required_arguments = 1

    def rows(self) -> list[dict]:
        """Read the runs."""
        _, folder = self.env.relfn2path(self.arguments[0])
        # Files and the registry's entries may come and go, which a dependency on each file would not notice.
        self.env.note_reread()
        return summarise(read_runs(Path(folder)))


class ResultsTable(RunsDirective):
    """Runs beside the figures of the registry."""

    write = staticmethod(results_html)

    def run(self) -> list[nodes.Node]:
        """Leave a place for them."""
        return [LateNode(write=partial(self.write, rows=self.rows()))]


class PublishedTable(SphinxDirective):
    """All published figures of the registry."""

    write = staticmethod(published_html)

    def run(self) -> list[nodes.Node]:
        """Leave a place for them."""
        self.env.note_reread()
        return [LateNode(write=self.write)]


class ProfilesTable(PublishedTable):
    """All profiles of the registry."""

    write = staticmethod(profiles_html)


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.setup_extension("late")
    app.add_directive("results-table", ResultsTable)
    app.add_directive("published-table", PublishedTable)
    app.add_directive("profiles-table", ProfilesTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
