"""The line with which a chapter installs ``dctutor`` where it is missing, as in Colab.

``python scripts/setup_cell.py`` writes it into the set-up cell of every chapter. The package is on no index, and its
name there is free for anyone to take: until a release, the line installs from the repository.
"""

import os
import subprocess
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
REPOSITORY = "https://github.com/dctutor/dctutor"
REQUIREMENT = f"git+{REPOSITORY}@main"
INSTALL = f'%pip install -q "{REQUIREMENT}"'
# How the set-up cell of every chapter begins.
BEGINNING = f"""\
from importlib.util import find_spec

if find_spec("dctutor") is None:
    {INSTALL}
"""


def chapters() -> list[Path]:
    """Return the paths of all chapters."""
    return sorted((ROOT / "notebooks").rglob("*.ipynb"))


def rewrite(path: Path) -> bool:
    """Write the line into one chapter, and say whether that changed it.

    Raises
    ------
    ValueError
        If the chapter has not exactly one line that begins with ``%pip``.
    """
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    lines = [(cell, line) for cell in code for line in cell.source.splitlines() if line.lstrip().startswith("%pip")]
    if len(lines) != 1:
        raise ValueError(f"{path}: expected one line that begins with %pip, got {len(lines)}")
    cell, old = lines[0]
    new = old[: len(old) - len(old.lstrip())] + INSTALL
    if new == old:
        return False
    cell.source = cell.source.replace(old, new)
    nbformat.write(notebook, path)
    return True


def local_clone(folder: Path) -> dict[str, str]:
    """Clone this repository's last commit as branch ``main``; return what makes git take the clone for GitHub's.

    Parameters
    ----------
    folder : Path
        Where the clone goes; it must not exist.

    Returns
    -------
    dict of str to str
        Environment variables, besides those that are set. With them ``REPOSITORY`` means the clone to git, and so to
        pip. Nothing else is reached.
    """
    subprocess.run(["git", "clone", "--quiet", "--bare", ROOT, folder], check=True)
    # Continuous integration and worktrees have checked out something else than a branch called main.
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for command in (["update-ref", "refs/heads/main", head.strip()], ["symbolic-ref", "HEAD", "refs/heads/main"]):
        subprocess.run(["git", "-C", folder, *command], check=True)
    number = int(os.environ.get("GIT_CONFIG_COUNT", "0"))
    return {
        f"GIT_CONFIG_KEY_{number}": f"url.{folder}.insteadOf",
        f"GIT_CONFIG_VALUE_{number}": REPOSITORY,
        "GIT_CONFIG_COUNT": str(number + 1),
    }


def main() -> None:
    for path in chapters():
        if rewrite(path):
            print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
