"""The directive ``start-study``: what first clusters do to methods that train on from them.

Its runs differ in their first clusters only: each starts from the bundled autoencoder of its data set.
"""

from functools import partial
from html import escape
from pathlib import Path

from docutils import nodes
from late import LateNode
from results_block import RESULTS_PAGE, Line, picture_svg
from results_table import METRICS, data_name, read_runs, shared_start, summarise, whole_fits
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from tables import framed_table

from dctutor.methods import registry

#: First clusters by the value of `init`: their name and their colour. The first is what the papers have.
STARTS = {"kmeans": ("k-means", "shared"), "ward": ("Ward’s clusters", "shared"), "ac-pic": ("AC-PIC", "own")}


def collect(datasets: list[str], rows: list[dict]) -> dict[str, list[Line]]:
    """Choose the rows of a study.

    Parameters
    ----------
    datasets : list of str
        Samples of 5,000, each with a bundled autoencoder.
    rows : list of dict
        As `summarise` gives them.

    Returns
    -------
    dict of str to list of Line
        By the name of the data for readers: k-means on the codes, then each method from each start. What has no runs
        is left out.
    """
    entries, groups = registry(), {}
    for dataset in datasets:
        start = dataset.removesuffix("-5k")
        fits = [
            row
            for row in whole_fits(rows)
            if row["dataset"] == dataset and row["profile"] == "book" and shared_start(row) == start
        ]
        lines = []
        for row in fits:
            if row["method"] == "AutoencoderKMeans" and row["settings"].keys() == {"autoencoder"}:
                lines.append(_line("k-means on the codes, no training", "baseline", row))
        for name in ("DEC", "IDEC"):
            for init, (words, kind) in STARTS.items():
                wanted = {"autoencoder": start} | ({} if init == "kmeans" else {"init": init})
                for row in fits:
                    if row["method"] == name and row["settings"] == wanted:
                        lines.append(_line(f"{entries[name].name} from {words}", kind, row))
        if lines:
            groups[data_name(dataset, "all")] = lines
    return groups


def _line(label: str, kind: str, row: dict) -> Line:
    return Line(label=label, kind=kind, mean=row["mean"], spread=row["spread"], seeds=row["values"])


def study_html(app: Sphinx, docname: str, groups: dict[str, list[Line]]) -> str:
    """Write the picture and the table."""
    if not groups:
        return "<p>No run is recorded yet.</p>"
    bodies = []
    for data, lines in groups.items():
        for line in lines:
            cells = "".join(f'<td class="dc-figure">{line.figures(metric)}</td>' for metric in METRICS)
            head = f'{escape(line.label)} <span class="dc-none">{escape(data)}</span>'
            bodies.append(f'<tr><th scope="rowgroup" colspan="4">{head}</th></tr>')
            bodies.append(f"<tr>{cells}<td>{len(line.seeds['acc'])}</td></tr>")
    heads = [*(metric.upper() for metric in METRICS), "Seeds"]
    table = framed_table("Mean ± standard deviation over seeds, in points (hundredths)", heads, bodies)
    note = "One dot per seed; the bar is their mean. The dashed line is k-means on the codes, before any training."
    folded = f"<details><summary>The figures as a table</summary>{table}</details>"
    picture = picture_svg(groups, "Accuracy of DEC and IDEC from three kinds of first clusters")
    return f'<div class="dc-block">{picture}<p class="dc-note">{note}</p>{folded}</div>'


class StartStudy(SphinxDirective):
    """Runs on the data sets in the argument, from ``book/results``."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Read the runs."""
        _, folder = self.env.relfn2path(f"/{RESULTS_PAGE}")
        self.env.note_reread()
        groups = collect(self.arguments[0].split(), summarise(read_runs(Path(folder))))
        return [LateNode(write=partial(study_html, groups=groups))]


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.setup_extension("results_block")
    app.add_directive("start-study", StartStudy)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
