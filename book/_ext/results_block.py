"""The directive ``results-block``: how well a chapter's methods do, from k-means on the pixels to the paper.

One picture, and the same figures in a folded table, made from the recorded runs while the book is built.
"""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path
from typing import ClassVar

from citations import citation_address
from docutils import nodes
from docutils.parsers.rst import directives
from late import LateNode
from results_table import METRICS, data_name, read_runs, shared_start, summarise, variant, whole_fits
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from tables import framed_table, points

from dctutor import methods
from dctutor.datasets._catalog import ENTRIES
from dctutor.methods import PublishedFigure, registry

RESULTS_PAGE = "book/results"
_THIS_PAGE = "This page: "
_LABEL = 40  # characters per line: with the figures beside them they fit a column of 340 pixels
_LINE, _STRIP, _GAP, _HEADING = 17, 20, 5, 24  # heights in pixels


@dataclass(frozen=True, kw_only=True)
class Line:
    """What one row shows: recorded runs, or a paper's figure.

    Attributes
    ----------
    label : str
        Names it.
    kind : {"baseline", "shared", "own", "paper"}
        Where it starts from; decides the colour.
    mean, spread : dict
        Fractions by metric; the spread is None for a single seed.
    seeds : dict
        Of each metric, the fractions of all seeds; empty for a paper.
    cite : str
        The paper's key in the bibliography, else empty.
    """

    label: str
    kind: str
    mean: dict[str, float]
    spread: dict[str, float | None]
    seeds: dict[str, list[float]]
    cite: str = ""

    def figures(self, metric: str) -> str:
        """Write the mean and, where there is one, the spread, in points."""
        spread = self.spread.get(metric)
        return points(self.mean[metric]) + (f" ± {points(spread)}" if spread is not None else "")


def _recorded(row: dict, label: str, kind: str) -> Line:
    return Line(label=label, kind=kind, mean=row["mean"], spread=row["spread"], seeds=row["values"])


def _published(figure: PublishedFigure) -> Line:
    label = f"Paper’s figure: {figure.name}" + (f" ({figure.note})" if figure.note else "")
    return Line(label=label, kind="paper", mean=dict(figure.metrics), spread={}, seeds={}, cite=figure.cite)


def _settings(row: dict) -> str:
    text = variant(row)
    return text if len(text) <= 2 * _LABEL else "with other settings than its defaults"


def _pretrains(method: str) -> bool:
    return "autoencoder" in getattr(methods, method)().get_params()


def collect(names: Sequence[str], dataset: str, rows: list[dict]) -> dict[str, list[Line]]:
    """Choose the rows, by the data that they are measured on: the sample of 5,000, then all.

    Parameters
    ----------
    names : sequence of str
        Classes in `dctutor.methods`.
    dataset : str
        The whole data set.
    rows : list of dict
        As `summarise` gives them.

    Returns
    -------
    dict of str to list of Line
        By the name of the data for readers. What has no runs is left out.
    """
    entries = registry()
    groups = {}
    for data, profile in ((f"{dataset}-5k", "book"), (dataset, "full")):
        # Runs from another bundled autoencoder stay on the page of measured runs.
        fits = [row for row in whole_fits(rows) if row["dataset"] == data and shared_start(row) in (None, dataset)]
        usual = [row for row in fits if row["profile"] == profile]
        pixels = "pixels" if data not in ENTRIES or ENTRIES[data].image_shape else "features"
        start = {"autoencoder": dataset}
        lines = [
            _recorded(row, f"k-means on the {pixels}", "baseline")
            for row in usual
            if row["method"] == "KMeans" and not row["settings"]
        ]
        if "AutoencoderKMeans" not in names:
            lines += [
                _recorded(row, "Shared start: k-means on its codes", "shared")
                for row in usual
                if row["method"] == "AutoencoderKMeans" and row["settings"] == start
            ]
        for name in names:
            own = [row for row in fits if row["method"] == name and row["profile"] != "smoke"]
            # What the page shows stands first on the sample, and the paper's own schedule first on all of the data.
            own.sort(key=lambda row, first=data != dataset: (shared_start(row) is None) == first)
            for row in own:
                told = [entries[name].name]
                if shared_start(row) is None:
                    told.append("own pre-training" if _pretrains(name) else "has no pre-training")
                elif row["settings"] == start and data != dataset:
                    told[0] = f"{_THIS_PAGE}{told[0]}"
                told += [_settings(row)] if row["settings"] else []
                told += [f"profile “{row['profile']}”"] if row["profile"] != profile else []
                lines.append(_recorded(row, ", ".join(told), "own" if shared_start(row) is None else "shared"))
        for name in names:
            there = [figure for figure in entries[name].published if (figure.dataset, figure.split) == (data, "all")]
            lines += map(_published, there)
        if lines:
            groups[_data_heading(data)] = lines
    return groups


def _data_heading(data: str) -> str:
    total = sum(count for _, count in ENTRIES[data].sizes) if data in ENTRIES else 0
    kind = "images" if total and ENTRIES[data].image_shape else "samples"
    return data_name(data, "all") + (f", all {total:,} {kind}" if total else "")


def block_html(app: Sphinx, docname: str, groups: dict[str, list[Line]], names: Sequence[str]) -> str:
    """Write the picture, what its marks mean, and the table."""
    if not groups:
        return "<p>No run is recorded yet.</p>"
    entries = registry()
    title = " and ".join(entries[name].name for name in names)
    parts = [picture_svg(groups, f"Accuracy of {title}")]
    kinds = {line.kind for lines in groups.values() for line in lines}
    legend = ["One dot per seed; the bar is their mean."]
    if "paper" in kinds:
        legend.append("The diamond is the paper’s figure, which compares with own pre-training on all images.")
    if "baseline" in kinds:
        legend.append("The dashed line is k-means on the same data.")
    if "shared" in kinds:
        legend.append("The shared start is the autoencoder that comes with the package, which saw no labels.")
    if any(line.label.startswith(_THIS_PAGE) for lines in groups.values() for line in lines):
        legend.append("This page itself shows seed 0.")
    if RESULTS_PAGE in app.env.found_docs:
        address = escape(app.builder.get_relative_uri(docname, RESULTS_PAGE))
        legend.append(f'Settings, times and commands: <a href="{address}">Measured runs</a>.')
    parts.append(f'<p class="dc-note">{" ".join(legend)}</p>')
    bodies = []
    for data, lines in groups.items():
        for line in lines:
            label = escape(line.label)
            if line.cite:
                label = f'<a href="{escape(citation_address(app, docname, line.cite))}">{label}</a>'
            head = f'{label} <span class="dc-none">{escape(data)}</span>'
            cells = "".join(
                f'<td class="dc-figure">{line.figures(metric) if metric in line.mean else "–"}</td>'
                for metric in METRICS
            )
            count = len(line.seeds["acc"]) if line.seeds else "–"
            bodies.append(f'<tr><th scope="rowgroup" colspan="4">{head}</th></tr><tr>{cells}<td>{count}</td></tr>')
    heads = [*(metric.upper() for metric in METRICS), "Seeds"]
    table = framed_table("Mean ± standard deviation over seeds, in points (hundredths)", heads, bodies)
    parts.append(f"<details><summary>The figures as a table</summary>{table}</details>")
    return f'<div class="dc-block">{"".join(parts)}</div>'


def picture_svg(groups: dict[str, list[Line]], title: str) -> str:
    """Draw ACC: one strip per row below its name, a dot per seed, a bar for the mean, a diamond for a paper.

    Places along the axis are percentages of the width, so that letters keep their size on a phone.
    """
    shown = {data: [line for line in lines if "acc" in line.mean] for data, lines in groups.items()}
    values = [v for lines in shown.values() for line in lines for v in (line.mean["acc"], *line.seeds.get("acc", ()))]
    # From 0.4 where that is low enough, so that most chapters' pictures can be laid side by side.
    low = min([0.4, *(math.floor(10 * value) / 10 for value in values)])

    def x(value: float) -> str:
        return f"{4 + 92 * (value - low) / (1 - low):.2f}%"

    ticks = [tick / 10 for tick in range(round(10 * low), 11)]
    parts, groups_told, y = [], [], 0
    for data, lines in shown.items():
        y += _HEADING
        parts.append(f'<text class="dc-heading" x="0" y="{y - 8}">{escape(data)}</text>')
        told = []
        base = next((line.mean["acc"] for line in lines if line.kind == "baseline"), None)
        for line in lines:
            for number, words in enumerate(textwrap.wrap(line.label, _LABEL)):
                y += _LINE
                parts.append(f'<text x="0" y="{y - 4}">{escape(words)}</text>')
                if not number:
                    figures = line.figures("acc")
                    parts.append(f'<text class="dc-value" x="100%" y="{y - 4}">{figures}</text>')
            parts.append(_strip(line, x, ticks, base, y))
            y += _STRIP + _GAP
            count = len(line.seeds.get("acc", ()))
            many = f", {count} seed{'s' if count > 1 else ''}" if count else ""
            told.append(f"{line.label} {line.figures('acc')}{many}")
        groups_told.append(f"{data}: {'; '.join(told)}.")
    for tick in ticks[:: 1 if len(ticks) < 9 else 2]:
        parts.append(f'<text class="dc-tick" x="{x(tick)}" y="{y + 14}">{round(100 * tick)}</text>')
    parts.append(f'<text class="dc-tick" x="50%" y="{y + 30}">ACC in points</text>')
    text = escape(f"{title}, in points. {' '.join(groups_told)}")
    return f'<svg role="img" aria-label="{text}" width="100%" height="{y + 36}">{"".join(parts)}</svg>'


def _strip(line: Line, x, ticks: Sequence[float], base: float | None, top: int) -> str:
    """Draw the marks of one row, on lines at the axis' ticks."""
    middle = top + _STRIP // 2
    parts = [f'<line class="dc-grid" x1="{x(ticks[0])}" x2="{x(ticks[-1])}" y1="{middle}" y2="{middle}"/>']
    bottom = top + _STRIP
    parts += [f'<line class="dc-grid" x1="{x(t)}" x2="{x(t)}" y1="{top + 2}" y2="{bottom - 2}"/>' for t in ticks]
    if base is not None:
        parts.append(f'<line class="dc-base" x1="{x(base)}" x2="{x(base)}" y1="{top}" y2="{bottom}"/>')
    mean = x(line.mean["acc"])
    if line.kind == "paper":  # a shape has no place in per cent; a picture within the picture has
        shape = '<path d="M0-7L7 0L0 7L-7 0Z"/>'
        parts.append(f'<svg class="dc-paper" x="{mean}" y="{middle}" overflow="visible">{shape}</svg>')
    else:
        dots = "".join(f'<circle cx="{x(value)}" cy="{middle}" r="4.5"/>' for value in line.seeds["acc"])
        bar = f'<line class="dc-mean" x1="{mean}" x2="{mean}" y1="{middle - 9}" y2="{middle + 9}"/>'
        parts.append(f'<g class="dc-{line.kind}">{dots}{bar}</g>')
    return "".join(parts)


class ResultsBlock(SphinxDirective):
    """Recorded runs of the methods in the argument, on ``:dataset:`` and its sample, from ``book/results``."""

    required_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar = {"dataset": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        """Read the runs."""
        names, dataset = self.arguments[0].split(), self.options.get("dataset", "mnist")
        for name in names:
            if name not in methods.__all__:
                raise self.error(f"results-block: expected names in dctutor.methods, got {name!r}")
        if dataset not in ENTRIES:
            raise self.error(f"dataset: expected one of {', '.join(ENTRIES)}, got {dataset!r}")
        _, folder = self.env.relfn2path(f"/{RESULTS_PAGE}")
        # Files and the registry's entries may come and go, which a dependency on each file would not notice.
        self.env.note_reread()
        groups = collect(names, dataset, summarise(read_runs(Path(folder))))
        return [LateNode(write=partial(block_html, groups=groups, names=names))]


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.setup_extension("late")
    app.add_directive("results-block", ResultsBlock)
    app.add_css_file("results_block.css")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
