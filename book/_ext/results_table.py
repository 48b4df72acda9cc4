"""The directives ``results-table`` and ``published-table``: measured runs beside the papers' figures.

Both read files only, while the book is built; no figure is typed into a page.
"""

import json
import shlex
from collections import defaultdict
from functools import partial
from html import escape
from itertools import pairwise
from pathlib import Path
from statistics import mean, stdev
from typing import ClassVar

from citations import citation_address, method_link
from docutils import nodes
from docutils.parsers.rst import directives
from late import LateNode
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from tables import framed_table

METRICS = ("acc", "nmi", "ari")


def read_runs(folder: Path) -> list[dict]:
    """Read every recorded run, in a fixed order."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("**/*.json"))]


def summarise(runs: list[dict]) -> list[dict]:
    """Group runs that differ in their seed only, and average them.

    A seed that was recorded twice counts once: the file that sorts last stands.
    """
    groups: dict[tuple, dict[int, dict]] = defaultdict(dict)
    for run in runs:
        # Runs of before --fit-on and --labels were fitted on what they are scored on, without labels.
        told = run.get("fit_on", run["split"]), run.get("labels", 0)
        groups[run["dataset"], run["split"], run["profile"], run["method"], *told][run["seed"]] = run
    rows = []
    for (dataset, split, profile, method, fit_on, labels), seeds in sorted(groups.items()):
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
                "mean": {name: mean(found) for name, found in values.items()},
                "spread": {name: stdev(found) if len(found) > 1 else None for name, found in values.items()},
                # The least disturbed one: most runs shared their machine with other work.
                "seconds": min(run["seconds"] for run in seeds.values()),
                "set": _settings(next(iter(seeds.values()))["command"]),
                "memory_mb": max(run["peak_memory_mb"] or 0 for run in seeds.values()) or None,
                # Runs of before the plural was right said "1 threads".
                "processors": sorted({run["processor"].replace(", 1 threads", ", 1 thread") for run in seeds.values()}),
                "commands": sorted({run["command"] for run in seeds.values()}),
            }
        )
    return rows


def whole_fits(rows: list[dict]) -> list[dict]:
    """Keep what was fitted without labels on all of a data set, and scored there."""
    return [row for row in rows if row["split"] == row["fit_on"] == "all" and not row["labels"]]


def _settings(command: str) -> list[str]:
    words = shlex.split(command)
    return [after for word, after in pairwise(words) if word == "--set"]


def difference(here: float, paper: float) -> str:
    """Put a difference in words: percentage points, and ``missed`` where the run is below the paper."""
    points = round(100 * abs(here - paper), 1)
    if here >= paper:
        return f"+{points} points"
    return f"−{points} points, missed" if points else "less than 0.1 points below, missed"


def duration(seconds: float) -> str:
    """Write seconds as a person would read them."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def data_name(dataset: str, split: str) -> str:
    """Name a data set, and its split where that is not the whole."""
    return dataset if split == "all" else f"{dataset}, {split} split"


def _results_rows(app: Sphinx, docname: str, row: dict, paper: dict | None, published: dict) -> str:
    # A row that names the method, then one a measure: four columns, so that a phone shows all of them.
    seeds = f"{row['seeds']} seed{'s' if row['seeds'] > 1 else ''}, {duration(row['seconds'])} a fit"
    if row["fit_on"] != row["split"]:
        seeds += f", on the {row['fit_on']} split"
    if row["labels"]:
        seeds += f", {row['labels']:,} labels"
    if row["set"]:
        seeds += f"; {escape(', '.join(row['set']))}"
    lines = [
        f'<tr><th scope="rowgroup" colspan="4">{method_link(app, docname, row["method"])} '
        f'<span class="dc-none">{seeds}</span></th></tr>'
    ]
    # Of the book's own samples no paper has a figure, whether or not its tables were at hand.
    used = any(figure["dataset"] == row["dataset"] for figure in published["figures"])
    absent = "not checked" if used and row["method"] in published["not_checked"] else "–"
    other_files = row["dataset"] in published["re_extracted"]
    for name in METRICS:
        spread = row["spread"][name]
        here = f"{row['mean'][name]:.3f}" + (f" ± {spread:.3f}" if spread is not None else "")
        there, gap = f'<span class="dc-none">{absent}</span>', ""
        if paper and name in paper["metrics"]:
            address = escape(citation_address(app, docname, paper["cite"]))
            there = f'<a href="{address}">{paper["metrics"][name]:.3f}</a>'
            gap = difference(row["mean"][name], paper["metrics"][name]) + (" (other files)" if other_files else "")
        missed = ' class="dc-missed"' if "missed" in gap else ""
        lines.append(
            f'<tr><th scope="row">{name.upper()}</th><td class="dc-figure">{here}</td>'
            f"<td>{there}</td><td{missed}>{gap}</td></tr>"
        )
    return "".join(lines)


def results_html(app: Sphinx, docname: str, rows: list[dict], published: dict) -> str:
    """Write one table for each data set, split and profile."""
    if not rows:
        return "<p>No run is recorded yet.</p>"
    figures = {(f.get("class", f["method"]), f["dataset"], f["split"]): f for f in published["figures"]}
    tables: dict[tuple, list[dict]] = defaultdict(list)
    for row in rows:
        tables[row["dataset"], row["split"], row["profile"]].append(row)
    profiles = app.env.get_domain("py").objects.get("dctutor.experiments.run.PROFILES")
    parts = []
    if profiles:
        address = f"{app.builder.get_relative_uri(docname, profiles.docname)}#{profiles.node_id}"
        link = f'<a href="{address}">PROFILES</a>'
        parts.append(f'<p class="dc-note">A <em>profile</em> is a set of arguments, listed in {link}.</p>')
    for (dataset, split, profile), members in tables.items():
        # The papers used the original files, other than those here.
        again = dataset in published["re_extracted"]
        title = published["datasets"].get(dataset, dataset) + (", re-extracted" if again else "")
        caption = f"{data_name(title, split)}, profile “{profile}”"
        bodies = [
            _results_rows(app, docname, row, figures.get((row["method"], dataset, split)), published) for row in members
        ]
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


def published_html(app: Sphinx, docname: str, published: dict) -> str:
    """Write every published figure in one table."""
    rows = []
    for figure in published["figures"]:
        cells = "".join(
            f"<td>{figure['metrics'][name]:.3f}</td>" if name in figure["metrics"] else "<td></td>" for name in METRICS
        )
        note = f' <span class="dc-none">({escape(figure["note"])})</span>' if "note" in figure else ""
        link = f'<a href="{escape(citation_address(app, docname, figure["cite"]))}">{escape(figure["method"])}</a>'
        data = data_name(published["datasets"][figure["dataset"]], figure["split"])
        rows.append(f'<tr><th scope="row">{link}{note}</th><td>{escape(data)}</td>{cells}</tr>')
    return framed_table(
        "What the papers report", ["Method", "Data", *(name.upper() for name in METRICS)], ["".join(rows)]
    )


class ResultsTable(SphinxDirective):
    """Runs in the folder of the argument beside the figures of ``:published:``, both relative to the page."""

    required_arguments = 1
    option_spec: ClassVar = {"published": directives.unchanged_required}
    write = staticmethod(results_html)

    def run(self) -> list[nodes.Node]:
        """Read the runs and the published figures."""
        published = _read_published(self, self.options["published"])
        _, folder = self.env.relfn2path(self.arguments[0])
        # Files may come and go, which a dependency on each of them would not notice.
        self.env.note_reread()
        return [LateNode(write=partial(self.write, rows=summarise(read_runs(Path(folder))), published=published))]


class PublishedTable(SphinxDirective):
    """All figures of the file in the argument, relative to the page."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Read the published figures."""
        return [LateNode(write=partial(published_html, published=_read_published(self, self.arguments[0])))]


def _read_published(directive: SphinxDirective, name: str) -> dict:
    relative, absolute = directive.env.relfn2path(name)
    directive.env.note_dependency(relative)
    return json.loads(Path(absolute).read_text(encoding="utf-8"))


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.setup_extension("late")
    app.add_directive("results-table", ResultsTable)
    app.add_directive("published-table", PublishedTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
