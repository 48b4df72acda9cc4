"""The marker ``full_data``: tests of the sets that are too large for the repository.

``@pytest.mark.full_data("mnist", "hapt")`` names the sets a test reads; without arguments it reads all.
A machine that lacks one leaves those tests out and says so at the end.

The marker ``slow`` is for what ``make check`` leaves out: what takes seconds, and what holds for each method, except
for three unlike ones.

Every test computes on one thread, and so does every process that it starts: a batch of 32 x 16 does not pay for the
barriers of several, and the processors are taken by pytest-xdist's workers.
"""

import os
import subprocess
import sys
from pathlib import Path

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
os.environ.update(dict.fromkeys(THREADS, "1"))  # before torch is imported; processes that tests start inherit it

import pytest
import torch
from filelock import FileLock
from threadpoolctl import threadpool_limits

from dctutor.datasets._catalog import ENTRIES
from dctutor.datasets._fetch import data_folder, missing_files

DOWNLOADED = tuple(name for name, entry in ENTRIES.items() if entry.folder is not None)
LEFT_OUT = pytest.StashKey[int]()
torch.set_num_threads(1)
threadpool_limits(1)  # a plugin of pytest has imported NumPy already
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book" / "api"))  # the method of one's own that a page shows


def pytest_configure(config):
    config.addinivalue_line("markers", "full_data(*names): reads the named downloaded data sets, or all of them")
    config.addinivalue_line("markers", "slow: left out by make check")


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(config, items):
    of_a_method = [item for item in items if "method" in getattr(getattr(item, "callspec", None), "params", {})]
    if of_a_method:
        from small_fits import METHODS, UNLIKE  # imports every method

        others = [name for method in METHODS if method not in UNLIKE for name in (method, method.__name__)]
        for item in of_a_method:
            if item.callspec.params["method"] in others:
                item.add_marker("slow")

    home = data_folder(None)
    absent = {name for name in DOWNLOADED if missing_files(ENTRIES[name], home)}

    def needs(item):
        return {name for mark in item.iter_markers("full_data") for name in mark.args or DOWNLOADED}

    left_out = [item for item in items if needs(item) & absent]
    config.stash[LEFT_OUT] = len(left_out)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):  # a worker of pytest-xdist tells the process that started it
        session.config.workeroutput["left out"] = session.config.stash.get(LEFT_OUT, 0)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    node.config.stash[LEFT_OUT] = getattr(node, "workeroutput", {}).get("left out", 0)


def pytest_terminal_summary(terminalreporter, config):
    count = config.stash.get(LEFT_OUT, 0)
    if count:
        terminalreporter.write_line(
            f"{count} tests left out: they read full data sets that are not under {data_folder(None)}. "
            f"To run them, call dctutor.datasets.load_dataset on {', '.join(DOWNLOADED)} once with a "
            "network, or point DCTUTOR_DATA to a folder that holds them."
        )


@pytest.fixture(scope="session")
def make_once(tmp_path_factory):
    """Fill a folder once for all workers: ``make_once(name, fill)`` calls ``fill(folder)`` if nobody has yet."""
    home = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        home = home.parent  # each worker has a folder of its own in it

    def make(name, fill):
        folder, done = home / name, home / f"{name}.done"
        with FileLock(home / f"{name}.lock"):
            if not done.exists():
                folder.mkdir(exist_ok=True)
                fill(folder)
                done.touch()
        return folder

    return make


@pytest.fixture(scope="session")
def built(make_once):
    """The wheel and the source archive that it is made from."""

    def build(folder):
        command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    folder = make_once("dist", build)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, sdist


@pytest.fixture(scope="session")
def installed_wheel(built, make_once):
    """A folder that holds dctutor as the wheel installs it, and nothing else."""

    def install(folder):
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", folder]
        subprocess.run([*pip, built[0]], check=True, capture_output=True)

    return make_once("site", install)
