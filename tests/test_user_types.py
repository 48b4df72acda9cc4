"""The types that a user's own type checker sees: ``py.typed``, the public names and what they return."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.slow
RIGHT = """
import dctutor
from dctutor import DEC, IDEC, Dataset, DeepClusterer, load, load_dataset
from dctutor.metrics import clustering_accuracy, scores

data: Dataset = load_dataset("digits")
model: IDEC = IDEC(n_clusters=10, random_state=0).fit(data.X)
labels = model.predict(data.X)
accuracy: float = clustering_accuracy(data.y, labels)
table: dict[str, float] = scores(data.y, labels)
model.save("model")
again: DeepClusterer = load("model")
dec: DEC = DEC.load("model")
version: str = dctutor.__version__
"""
# A model of another class is not among them: scikit-learn, the base of all, has no types, so a checker lets it pass.
WRONG = {
    "a clusterer's answer is no text": "text: str = load('model').predict([[1.0]])",
    "a path is no number": "load(5)",
    "a score is no text": "score: str = clustering_accuracy([0], [0])",
}


def check(folder, text):
    (folder / "script.py").write_text(text, encoding="utf-8")
    # With the settings of a strict user, not the checkout's own.
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--config-file=",
        "--follow-imports=silent",
        "--cache-dir",
        folder / "cache",
    ]
    environment = {"PYTHONPATH": str(ROOT), "MYPYPATH": str(ROOT), "PATH": ""}
    done = subprocess.run(
        [*command, "--strict", "script.py"], cwd=folder, env=environment, capture_output=True, text=True
    )
    return done.stdout + done.stderr


def test_the_package_says_that_it_is_typed():
    assert (ROOT / "dctutor" / "py.typed").read_bytes() == b""


def test_a_users_script(tmp_path):
    assert "Success" in check(tmp_path, RIGHT)
    told = check(tmp_path, RIGHT + "\n".join(WRONG.values()) + "\n")
    begin = len(RIGHT.splitlines()) + 1
    for line, why in enumerate(WRONG, start=begin):
        assert f"script.py:{line}: error" in told, f"{why}:\n{told}"
