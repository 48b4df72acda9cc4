"""Imports run downwards only, and in no circle.

Read from the source, imports inside functions included. Those that only type checkers see are left out.
"""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import dctutor

PACKAGE = Path(dctutor.__file__).parent
# Lowest first.
LAYERS = [
    {"_inputs", "_random", "_validation", "datasets", "devices", "schedules", "snapshots", "storage"},
    {"architectures", "augmentation", "exercises", "features", "losses", "metrics", "plots"},
    {"classical", "training"},
    {"estimator"},
    {"_load", "methods"},
    {"__init__", "__main__", "experiments"},
]
STRANGERS = {"classical", "training"}  # neither imports the other


def is_for_type_checkers(node):
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def import_statements(tree, *, type_checking):
    """Every import statement of a module; those under TYPE_CHECKING only if asked for."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif is_for_type_checkers(node) and not type_checking:
            for branch in node.orelse:
                yield from import_statements(ast.Module([branch], []), type_checking=False)
        else:
            yield from import_statements(node, type_checking=type_checking)


class Source:
    """The modules of a package by dotted name: what each one's file imports of the others."""

    def __init__(self, package):
        self.name, self.trees = package.name, {}
        for path in sorted(package.rglob("*.py")):
            parts = path.relative_to(package.parent).with_suffix("").parts
            # A package is its __init__; the outermost one has a name of its own here.
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            self.trees[name] = ast.parse(path.read_text(encoding="utf-8"))

    def definer(self, module, name):
        """The module that defines what ``from module import name`` gives."""
        if f"{module}.{name}" in self.trees:
            return f"{module}.{name}"
        for statement in import_statements(self.trees[module], type_checking=True):
            for alias in statement.names:
                if isinstance(statement, ast.ImportFrom) and (alias.asname or alias.name) == name:
                    return self.definer(statement.module, alias.name) if statement.module in self.trees else module
        return module

    def imports(self, module):
        """Names of the package's modules that one of them imports."""
        found = set()
        for statement in import_statements(self.trees[module], type_checking=False):
            if isinstance(statement, ast.Import):
                found |= {alias.name for alias in statement.names}
            else:
                assert statement.level == 0, f"{module}: an import with leading dots"
                if statement.module in self.trees:
                    found |= {self.definer(statement.module, alias.name) for alias in statement.names}
        return found & self.trees.keys() - {module}

    def circle(self):
        """Modules that import one another in a circle, the first again at the end; None if there is no circle."""
        try:
            TopologicalSorter({module: sorted(self.imports(module)) for module in self.trees}).prepare()
        except CycleError as error:
            return error.args[1]
        return None


def layer(module):
    part = module.split(".")[1] if "." in module else "__init__"
    (number,) = (number for number, parts in enumerate(LAYERS) if part in parts)
    return number, part


def points_up(module, imported):
    (low, part), (high, other) = layer(module), layer(imported)
    return high > low or (part != other and {part, other} == STRANGERS)


@pytest.fixture(scope="module")
def source():
    return Source(PACKAGE)


def test_every_module_has_its_layer(source):
    parts = {module.split(".")[1] for module in source.trees if "." in module}
    assert parts | {"__init__"} == set.union(*LAYERS)


def test_imports_point_downwards(source):
    arrows = [(module, imported) for module in source.trees for imported in sorted(source.imports(module))]
    assert len(arrows) > 100
    upwards = [f"{module} imports {imported}" for module, imported in arrows if points_up(module, imported)]
    assert not upwards, "\n".join(upwards)


def test_no_circle(source):
    circle = source.circle()
    assert circle is None, " - ".join(circle)


@pytest.mark.parametrize(
    ("low", "circle"),
    [
        ("", False),
        ("import pkg.high.own", True),
        ("from pkg import high", True),
        ("from pkg import other", False),
        ("from pkg.high import own", True),
        ("def f():\n    from pkg.high import Own", True),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pkg.high import Own", False),
        ("from typing import TYPE_CHECKING\nif not_now:\n    from pkg.high import Own", True),
        ("from other.high import Own", False),
    ],
)
def test_a_circle_is_found_where_there_is_one(tmp_path, low, circle):
    files = {
        "pkg/__init__.py": "",
        "pkg/low.py": low,
        "pkg/high/__init__.py": "from pkg.high.own import Own",
        "pkg/high/own.py": "from pkg.low import name\nclass Own: pass",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(text)
    assert (Source(tmp_path / "pkg").circle() is not None) == circle
