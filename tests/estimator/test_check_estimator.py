"""scikit-learn's own checks, none skipped.

They run in a process of their own: one of them asks for a variable that SciPy reads when it is imported.
"""

import json
import os
import subprocess
import sys

import pytest
from own_method import ShallowAutoencoder
from sklearn.base import clone
from small_fits import METHODS, PRETRAINED, blobs, small

from dctutor.metrics import clustering_accuracy

# Reads the names of methods, one per line, and answers each with a line of results.
CODE = """
import json, sys
from sklearn.utils.estimator_checks import check_estimator
from own_method import ShallowAutoencoder
from small_fits import METHODS, small

methods = {method.__name__: method for method in [*METHODS, ShallowAutoencoder]}
settings = {"n_clusters": 10, "pretrain_epochs": 10, "tol": 1e-3, "batch_size": 256, "random_state": None}
for line in sys.stdin:
    method = methods[line.strip()]
    known = method().get_params()
    chosen = {name: value for name, value in settings.items() if name in known}
    if "pretrain_epochs" not in known and "learning_rate" in known:  # no pre-training: longer and faster
        chosen |= {"epochs": 100, "learning_rate": min(10 * known["learning_rate"], 0.1)}
    estimator = small(method, **chosen)
    results = check_estimator(estimator, legacy=True, on_skip=None, on_fail=None)
    print(json.dumps([(r["check_name"], r["status"], str(r["exception"])) for r in results]), flush=True)
"""


@pytest.fixture(scope="module")
def check():
    """Put a method through the checks, in a process that has imported what they need."""
    environment = {**os.environ, "SCIPY_ARRAY_API": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-W", "ignore", "-c", CODE]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:

        def ask(method):
            print(method.__name__, file=child.stdin, flush=True)
            answer = child.stdout.readline()
            assert answer, f"the checks of {method.__name__} ended their process"
            return json.loads(answer)

        yield ask
        child.stdin.close()


# The last one is what the page of the estimator shows as a method of one's own.
@pytest.mark.slow
@pytest.mark.parametrize("method", [*METHODS, ShallowAutoencoder], ids=lambda method: method.__name__)
def test_check_estimator(check, method):
    results = check(method)
    assert len(results) > 40
    assert [row for row in results if row[1] != "passed"] == []


def test_a_method_of_ones_own_clusters_and_goes_on_from_a_checkpoint(tmp_path):
    X, truth = blobs(60)
    settings = {"n_clusters": 3, "width": 4, "random_state": 0, "verbose": False, "snapshot_every": 5}
    fitted = ShallowAutoencoder(**settings, checkpoint=tmp_path / "checkpoint").fit(X)
    assert clustering_accuracy(truth, fitted.labels_) == 1 and len(fitted.snapshots_) == 5
    again = ShallowAutoencoder(**settings, checkpoint=tmp_path / "checkpoint").fit(X)
    assert list(again.labels_) == list(fitted.labels_) and again.history_ == fitted.history_
    for change, error in (({"epochs": 1.5}, TypeError), ({"epochs": None}, TypeError), ({"width": 0}, ValueError)):
        (name,) = change
        with pytest.raises(error, match=f"{name}: expected an integer"):
            ShallowAutoencoder(**settings | change).fit(X)
    fitted.save(tmp_path / "model")
    assert list(ShallowAutoencoder.load(tmp_path / "model").predict(X)) == list(fitted.labels_)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__name__)
def test_fit_does_not_change_its_arguments(method):
    X, _ = blobs(60)
    lists = {"widths": [16, 3]} if "widths" in method().get_params() else {}
    estimator = small(method, **lists)
    before = estimator.get_params()
    assert estimator.fit(X) is estimator
    assert estimator.get_params() == before
    assert clone(estimator).get_params() == before and not hasattr(clone(estimator), "labels_")


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__name__)
def test_attributes_that_the_documentation_promises(method):
    X, _ = blobs(60)
    fitted = small(method, snapshot_every=1).fit(X)
    assert fitted.labels_.shape == (60,) and fitted.labels_.dtype.kind == "i"
    width = fitted.transform(X).shape[1]
    assert fitted.cluster_centers_.shape == (3, width) and fitted.image_shape_ is None
    assert fitted.n_features_in_ == 8 and fitted.n_iter_ > 0 and fitted.scaling_.factor > 0
    assert fitted.seconds_ > 0 and not fitted.network_.training
    assert list(fitted.get_feature_names_out()) == [f"{method.__name__.lower()}{i}" for i in range(width)]
    for table in fitted.history_.values():
        assert len({len(column) for column in table.values()}) == 1
    assert {len(shot.embedding) for shot in fitted.snapshots_} == {60} == {len(fitted.snapshot_index_)}


@pytest.mark.parametrize("method", PRETRAINED, ids=lambda method: method.__name__)
def test_history_has_each_stage_of_pretraining(method):
    fitted = small(method, layerwise_epochs=1).fit(blobs(60)[0])
    assert {"layer_1", "layer_2", "pretrain"} <= fitted.history_.keys()
    assert fitted.n_iter_ == (4 if method.__name__ == "AECM" else 3)  # it ends with one averaged epoch more
