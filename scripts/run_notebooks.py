"""Run chapters in place and store their outputs: ``python scripts/run_notebooks.py [notebook ...]``."""

import sys
import time
from pathlib import Path

import nbformat
import papermill

from dctutor.plots import described

ROOT = Path(__file__).resolve().parent.parent


def store(path: Path) -> float:
    """Run one chapter under the ``book`` profile and write it back without what differs from run to run."""
    begun = time.perf_counter()
    papermill.execute_notebook(path, path, cwd=path.parent, progress_bar=False, kernel_name="python3")
    seconds = time.perf_counter() - begun
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if "injected-parameters" not in cell.metadata.get("tags", [])]
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        kept = {key: value for key, value in cell.metadata.items() if key in ("tags", "jupyter", "editable", "mystnb")}
        cell.metadata = {key: value for key, value in kept.items() if value}
        if cell.cell_type == "code":
            # Progress bars: thousands of lines that say nothing once training is over.
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
            # The page writes the text alternative beside a PNG itself; in a figure that is HTML, it stands inside.
            alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt")
            for data in (output.get("data", {}) for output in cell.outputs if alt):
                if "text/html" in data:
                    data["text/html"] = described(data["text/html"], alt)
    nbformat.write(notebook, path)
    return seconds


def main() -> None:
    chosen = [Path(name).resolve() for name in sys.argv[1:]] or sorted((ROOT / "notebooks").rglob("*.ipynb"))
    for path in chosen:
        print(f"{path.relative_to(ROOT)}: {store(path):.0f} s", flush=True)


if __name__ == "__main__":
    main()
