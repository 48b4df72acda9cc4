"""Solutions of the chapters' exercises, run without the rest of their chapter."""

import ast
import builtins
import contextlib
import io
import re
from functools import cache
from pathlib import Path

import nbformat

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
FENCE = re.compile(r"^(`{3,}|:{3,})\{(exercise|solution-start|solution-end)\}[ ]*(\S*)", re.MULTILINE)


def _tree(cell):
    # A line that starts with % is IPython's.
    return ast.parse(re.sub(r"^(\s*)%.*$", r"\1pass", cell.source, flags=re.MULTILINE))


def _names(tree):
    """Names that a cell binds at its top level, and those that it needs from elsewhere."""
    bound = {
        alias.asname or alias.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    bound |= {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    inside = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.Lambda)
        for inner in ast.walk(node)
    }
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    bound |= {node.id for node in names if isinstance(node.ctx, ast.Store) and id(node) not in inside}
    local = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    local |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    needed = {node.id for node in names if isinstance(node.ctx, ast.Load)}
    changed = {
        node.target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name)
    }
    return bound, (needed - local) | (changed - bound)


class Chapter:
    """A notebook whose cells run one at a time, each after those that bind the names it needs."""

    def __init__(self, path):
        self.path, self.cells = path, nbformat.read(path, as_version=4).cells
        self.trees = {i: _tree(cell) for i, cell in enumerate(self.cells) if cell.cell_type == "code"}
        self.exercises, self.solutions, label = [], {}, None
        for i, cell in enumerate(self.cells):
            if cell.cell_type == "code":
                if label:
                    self.solutions.setdefault(label, []).append(i)
                continue
            for fence in FENCE.finditer(cell.source):
                if fence[2] == "exercise":
                    self.exercises += re.findall(r"^:label: (\S+)", cell.source[fence.end() :], re.MULTILINE)[:1]
                else:
                    label = fence[3] if fence[2] == "solution-start" else None

    @property
    def stable(self):
        """Labels of exercises whose solution has an output that must not change."""
        marked = "nbval-check-output"
        return {
            label
            for label, places in self.solutions.items()
            if any(marked in self.cells[i].metadata.get("tags", []) for i in places)
        }

    def _binds(self, name, before):
        return max((i for i, tree in self.trees.items() if i < before and name in _names(tree)[0]), default=None)

    def _wanted(self, needed, before, given):
        """Cells that names need, and what these cells need in turn."""
        found = set()
        for name in needed - given - set(dir(builtins)):
            if (i := self._binds(name, before)) is not None and i not in found:
                found |= {i, *self._wanted(_names(self.trees[i])[1], i, given)}
        return found

    def run(self, places, needed=frozenset(), **given):
        """Run cells, and before them what binds the names they and ``needed`` take; give names and printed lines."""
        start = min(places, default=len(self.cells))
        needed = set(needed).union(*(_names(self.trees[i])[1] for i in places))
        before = self._wanted(needed, start, set(given))
        space = {}
        for i in sorted(before):
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(self.trees[i], f"{self.path.name}[{i}]", "exec"), space)
            space |= given
        space |= given
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            for i in places:
                exec(compile(self.trees[i], f"{self.path.name}[{i}]", "exec"), space)
        return space, printed.getvalue().splitlines()


@cache
def chapters():
    return [Chapter(path) for path in sorted(NOTEBOOKS.rglob("*.ipynb"))]


def chapter_of(label):
    return next(chapter for chapter in chapters() if label in chapter.exercises)


def solution(label, **given):
    """Run the solution of an exercise: its names, and the lines that it prints."""
    chapter = chapter_of(label)
    return chapter.run(chapter.solutions[label], **given)


def names(label, needed, **given):
    """Names as the chapter of an exercise binds them."""
    return chapter_of(label).run([], needed, **given)[0]


def numbers(line):
    """Numbers in a printed line, behind its first colon if it has one."""
    return [float(found.replace(",", "")) for found in re.findall(r"-?\d[\d,]*\.?\d*", line.partition(":")[2] or line)]
