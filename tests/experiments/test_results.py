"""A recorded run's name tells it from every other, and its file is checked before it counts."""

import itertools
import json
import re
from pathlib import Path

import pytest

from dctutor import methods
from dctutor.experiments import read_result, summary
from dctutor.experiments.results import result_name

RESULTS = sorted((Path(__file__).parents[2] / "book" / "results").glob("*.json"))
PLAIN = {
    "method": "DEC",
    "dataset": "mnist",
    "split": "all",
    "fit_on": "all",
    "labels": 0,
    "profile": "full",
    "settings": {},
    "seed": 0,
}


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "dec-mnist-all-full-0"),
        ({"seed": 12}, "dec-mnist-all-full-12"),
        ({"split": "test", "fit_on": "train", "labels": 100}, "dec-mnist-train-test-labels100-full-0"),
        ({"settings": {"noise": 0, "init": "ward"}}, "dec-mnist-all-full-init=ward,noise=0-0"),
        ({"settings": {"noise": 0.0}}, "dec-mnist-all-full-noise=0-0"),
        ({"settings": {"lambda1": 5.2e-05, "widths": [500, 10]}}, "dec-mnist-all-full-lambda1=5.2e-05,widths=500x10-0"),
        (
            {"settings": {"channels": [15], "tied": True, "t": None}},
            "dec-mnist-all-full-channels=15x,t=none,tied=true-0",
        ),
    ],
)
def test_names_tell_short_settings(changes, name):
    assert result_name(PLAIN | changes) == name


UNLIKE = [0, 1, -1, 0.5, True, False, None, "0", "1", "0.5", "true", "none", "True", "None", "a", "A", "ward", "Ward"]
UNLIKE += ["", "..", "a/b", "a b", "ward,noise=0", "é", "16x3", "1x", "[1]"]
UNLIKE += [[], [1], [16, 3], [1.5], [[1]], {"a": 1}, {"a": "1"}]


def test_no_two_settings_have_one_name_on_any_file_system():
    settings = [{"noise": value} for value in UNLIKE] + [{"Noise": 0}, {"noise": 0, "init": "ward"}, {"init": 0}, {}]
    settings += [{f"a{i}": value for i in range(9)} for value in ("quite_long_a", "quite_long_b")]
    runs = [PLAIN | {"settings": found, "seed": seed} for found, seed in itertools.product(settings, (0, 1, 10))]
    names = [result_name(run) for run in runs]
    assert len({name.casefold() for name in names}) == len(runs)
    assert all(re.fullmatch("[a-z0-9._=,+-]+", name) and len(name) < 150 for name in names)


def test_the_order_of_settings_and_the_way_a_number_is_written_make_no_difference():
    one = {"widths": (16, 3), "nu": 2.0, "options": {"a": 1, "b": 2}}
    other = {"options": {"b": 2, "a": 1.0}, "nu": 2, "widths": [16, 3]}
    assert result_name(PLAIN | {"settings": one}) == result_name(PLAIN | {"settings": other})


def test_methods_differ_in_more_than_capitals():
    assert len({name.casefold() for name in methods.__all__}) == len(methods.__all__)


@pytest.mark.parametrize("file", RESULTS, ids=lambda file: file.stem)
def test_recorded_runs_are_whole_and_have_their_names(file):
    result = read_result(file)
    assert result_name(result) == file.stem
    assert file.read_text(encoding="utf-8") == json.dumps(result, indent=2) + "\n"


def test_summary_has_a_line_for_each(tmp_path):
    lines = summary(RESULTS[:2]).splitlines()
    assert len(lines) == 2 and lines[0].startswith(f"{RESULTS[0].name}: acc 0.")
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(ValueError, match=r"path: .*other\.json does not hold a whole run: it has no 'method'"):
        summary([tmp_path / "other.json"])
    with pytest.raises(FileNotFoundError):
        read_result(tmp_path / "none.json")
