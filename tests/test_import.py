import importlib
import inspect
import json
import pkgutil
import subprocess
import sys

import pytest

import dctutor
from dctutor import DeepClusterer

HEAVY = ("matplotlib", "torchvision", "pooch", "torch", "sklearn", "IPython", "pandas")


def loaded_by(code):
    """Which of the heavy libraries are loaded once ``code`` has run in a fresh process."""
    code += f"\nimport json, sys; print(json.dumps([name for name in {HEAVY} if name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "code",
    [
        "import dctutor; dir(dctutor); dctutor.__version__; dctutor.__all__",
        "from dctutor.methods import registry, taxonomy; taxonomy(); registry(); import dctutor; dir(dctutor.methods)",
    ],
)
def test_names_and_the_registry_load_no_library(code):
    assert loaded_by(code) == set()


@pytest.mark.parametrize(
    "code",
    [
        "from dctutor import DEC, load_dataset; DEC()",
        "import dctutor; dctutor.methods.DEC; dctutor.training; dctutor.metrics; dctutor.schedules; dctutor.losses",
        "from dctutor import *",
    ],
)
def test_methods_load_only_what_they_compute_with(code):
    assert loaded_by(code) & {"matplotlib", "torchvision", "pooch", "IPython"} == set()


def test_help_does_not_wait_for_torch():
    code = "from dctutor.__main__ import main\ntry: main(['run', '--help'])\nexcept SystemExit: pass"
    assert loaded_by(code) == set()


def test_star_import_gives_what_all_names():
    names = {}
    exec("from dctutor import *", names)
    assert set(dctutor.__all__) <= set(names)
    assert set(dctutor.__all__) <= set(dir(dctutor)) and set(dctutor._MODULES) <= set(dir(dctutor))


def test_dir_is_what_is_promised_and_nothing_else():
    offered = {name for name in dir(dctutor) if not name.startswith("__")}
    assert offered == {*dctutor.__all__, *dctutor._MODULES} and "__version__" in dir(dctutor)


def test_a_mistyped_name_can_be_mended():
    with pytest.raises(AttributeError) as raised:
        _ = dctutor.IDECC
    assert raised.value.name == "IDECC" and raised.value.obj is dctutor  # Python's "Did you mean" needs both


def test_every_method_can_be_had_from_the_package():
    methods = dctutor.methods
    assert len(set(methods.__all__)) == len(methods.__all__) >= 3
    for name in methods.__all__:
        method = getattr(methods, name)
        assert issubclass(method, DeepClusterer) and method.__name__ == name and name in dir(methods)
        assert getattr(dctutor, name) is method and name in dctutor.__all__


@pytest.mark.parametrize("name", dctutor._MODULES)
def test_every_public_module_can_be_had_from_the_package(name):
    assert getattr(dctutor, name) is importlib.import_module(f"dctutor.{name}")


def test_load_is_a_function_whatever_was_imported_before():
    code = "import importlib, pkgutil, dctutor\n"
    code += "for module in pkgutil.walk_packages(dctutor.__path__, 'dctutor.'):\n"
    code += "    if not module.name.endswith('__main__'): importlib.import_module(module.name)\n"
    loaded_by(code + "assert dctutor.load.__name__ == 'load' and callable(dctutor.load)")


def test_unknown_name():
    with pytest.raises(AttributeError, match="module 'dctutor' has no attribute 'DECK'"):
        _ = dctutor.DECK
    with pytest.raises(ImportError, match="DECK"):
        exec("from dctutor import DECK")
    with pytest.raises(AttributeError, match=r"module 'dctutor\.methods' has no attribute 'DECK'"):
        _ = dctutor.methods.DECK


MODULES = [dctutor.__name__] + [
    module.name
    for module in pkgutil.walk_packages(dctutor.__path__, "dctutor.")
    if not any(part.startswith("_") for part in module.name.split("."))
]


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_has_a_docstring(name):
    module = importlib.import_module(name)
    assert module.__doc__
    public = set(getattr(module, "__all__", ())) | {
        key
        for key, value in vars(module).items()
        if not key.startswith("_") and getattr(value, "__module__", None) == name
    }
    for key in public:
        value = getattr(module, key)
        if inspect.isclass(value):
            assert value.__doc__ and not value.__doc__.startswith(f"{key}("), f"{name}.{key}"
            own = {n: v for n, v in vars(value).items() if not n.startswith("_")}
            for member, what in own.items():
                if inspect.isfunction(what) or isinstance(what, property | classmethod | staticmethod):
                    assert inspect.getdoc(getattr(value, member)), f"{name}.{key}.{member}"
        elif inspect.isfunction(value):
            assert value.__doc__, f"{name}.{key}"
