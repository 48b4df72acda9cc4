"""What the scores must not depend on, for labels of any names and numbers."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dctutor.metrics import ari, clustering_accuracy, nmi

# Two labellings of the same samples, with as many classes as clusters, fewer, or more.
pairs = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), min_size=1, max_size=40).map(np.array)
scores = pytest.mark.parametrize("score", [clustering_accuracy, nmi, ari], ids=lambda score: score.__name__)


@scores
@given(pair=pairs, names=st.permutations(range(7)), classes=st.permutations("abcde"))
def test_new_names_change_no_score(score, pair, names, classes):
    truth, labels = pair.T
    renamed = np.array(names)[labels] * 10 - 3
    assert score(np.array(classes)[truth], renamed) == pytest.approx(score(truth, labels), abs=1e-12)


@scores
@given(pair=pairs, data=st.data())
def test_another_order_of_the_samples_changes_no_score(score, pair, data):
    order = np.array(data.draw(st.permutations(range(len(pair)))))
    assert score(*pair[order].T) == pytest.approx(score(*pair.T), abs=1e-12)


@given(pair=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=1, max_size=25).map(np.array))
def test_accuracy_is_the_best_matching_tried_out(pair):
    truth, labels = pair.T
    # Five clusters onto five names, of which the truth has four at most: whichever side has more is left over.
    best = max(np.mean(np.array(names)[labels] == truth) for names in permutations(range(5)))
    assert clustering_accuracy(truth, labels) == pytest.approx(best, abs=1e-12)


@given(pair=pairs)
def test_accuracy_is_no_less_than_the_largest_cell(pair):
    _, counts = np.unique(pair, axis=0, return_counts=True)
    assert counts.max() / len(pair) <= clustering_accuracy(*pair.T) + 1e-12 <= 1 + 2e-12
