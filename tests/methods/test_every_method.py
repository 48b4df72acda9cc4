"""What holds for each method of the book."""

import ast
import inspect
import io
import tokenize
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import joblib
import numpy as np
import pytest
import torch
from small_fits import (
    METHODS,
    PRETRAINED,
    UNLIKE,
    blobs,
    draw_from_global_generators,
    seed_global_generators,
    small,
    trained,
)

from dctutor import AutoencoderKMeans, DeepClusterer
from dctutor.architectures import Fuzzy, StudentT
from dctutor.metrics import clustering_accuracy

X, TRUTH = blobs()
each_method = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__name__)
# Other heads, such as a softmax layer, have borders of their own.
NEAREST = [method for method in METHODS if isinstance(method()._build_head(2), StudentT | Fuzzy)]
each_pretrained = pytest.mark.parametrize("method", PRETRAINED, ids=lambda method: method.__name__)


def same(first, second):
    pairs = [(getattr(first, name), getattr(second, name)) for name in ("labels_", "cluster_centers_", "snapshots_")]
    (a, b), (c, d), (shots, others) = pairs
    embeddings = all(np.array_equal(s.embedding, o.embedding) for s, o in zip(shots, others, strict=True))
    return np.array_equal(a, b) and np.array_equal(c, d) and embeddings and first.history_ == second.history_


@each_method
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_same_seed_same_answer(method, precision):
    settings = {"precision": precision, "snapshot_every": 1, "random_state": 5}
    first, second = (small(method, **settings).fit(X) for _ in range(2))
    assert same(first, second) and np.array_equal(first.transform(X), second.transform(X))
    other = small(method, **settings | {"random_state": 6}).fit(X)
    assert not np.array_equal(first.cluster_centers_, other.cluster_centers_)


@contextmanager
def default(setter, value, usual):
    setter(value)
    try:
        yield
    finally:
        setter(usual)


MODES = {
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "inference_mode": torch.inference_mode,
    "float64": lambda: default(torch.set_default_dtype, torch.float64, torch.float32),
    "meta": lambda: default(torch.set_default_device, "meta", None),
}


@each_method
def test_modes_that_the_caller_set_change_nothing(method, tmp_path):
    def answers():
        fitted = small(method, device="cpu").fit(X)
        fitted.save(tmp_path / "model")
        z, loaded = fitted.transform(X), method.load(tmp_path / "model")
        decoded = [fitted.inverse_transform(z)] if hasattr(fitted, "inverse_transform") else []
        clustered = [fitted.cluster(X)] if hasattr(fitted, "cluster") else []
        return fitted.labels_, z, loaded.predict_proba(X), *decoded, *clustered

    expected = answers()
    together = {name: [mode] for name, mode in MODES.items()} if method in UNLIKE else {"all": MODES.values()}
    for name, modes in together.items():
        with ExitStack() as stack:
            for mode in modes:
                stack.enter_context(mode())
            for found, usual in zip(answers(), expected, strict=True):
                assert found.dtype == usual.dtype and np.array_equal(found, usual), name


def test_threads_share_the_default_type_until_the_last_is_done():
    expected = small(AutoencoderKMeans).fit(X).cluster_centers_
    with default(torch.set_default_dtype, torch.float64, torch.float32), ThreadPoolExecutor(2) as pool:
        fits = [pool.submit(small(AutoencoderKMeans, pretrain_epochs=epochs).fit, X) for epochs in (3, 0, 3, 0, 3)]
        assert all(np.array_equal(fit.result().cluster_centers_, expected) for fit in fits[::2])
        assert torch.get_default_dtype() == torch.float64


@each_method
def test_second_fit_starts_anew(method):
    estimator = small(method)
    first = estimator.fit(X).cluster_centers_
    history = estimator.history_
    assert np.array_equal(estimator.fit(X).cluster_centers_, first) and estimator.history_ == history


@each_method
def test_random_state_instance(method):
    first, second = (small(method, random_state=np.random.RandomState(4)).fit(X) for _ in range(2))
    assert np.array_equal(first.cluster_centers_, second.cluster_centers_)
    source = np.random.RandomState(4)
    draws = [small(method, random_state=source).fit(X).cluster_centers_ for _ in range(2)]
    assert np.array_equal(draws[0], first.cluster_centers_) and not np.array_equal(*draws)


@each_method
@pytest.mark.parametrize("random_state", [None, 0])
def test_global_random_state_is_untouched(method, random_state):
    seed_global_generators(3)
    expected = draw_from_global_generators()
    seed_global_generators(3)
    small(method, random_state=random_state).fit(X)
    assert draw_from_global_generators() == expected


@each_method
def test_without_a_seed_fits_differ_even_where_the_global_state_is_the_same(method):
    centers = []
    for _ in range(2):
        seed_global_generators(0)
        centers.append(small(method, random_state=None).fit(X).cluster_centers_)
    assert not np.array_equal(*centers)


@each_method
def test_finds_three_groups(method):
    fitted = trained(method).fit(X)
    assert clustering_accuracy(TRUTH, fitted.labels_) > 0.98
    new, truth = blobs(60, seed=1)
    assert clustering_accuracy(truth, fitted.predict(new)) > 0.98


@each_method
def test_the_ways_to_ask_agree(method):
    fitted = small(method).fit(X)
    proba, z = fitted.predict_proba(X), fitted.transform(X)
    labels = fitted.predict(X)
    assert np.array_equal(proba.argmax(1), labels) and np.array_equal(fitted.predict(X[:1]), labels[:1])
    assert proba.dtype == z.dtype == np.float32 and proba.shape == (120, 3) and len(z) == 120
    np.testing.assert_allclose(proba.sum(1), 1, rtol=1e-5)
    if not hasattr(fitted, "affinity_matrix_"):  # otherwise the training data are clustered as nodes of a graph
        assert np.array_equal(labels, fitted.labels_)
    assert np.array_equal(small(method).fit_predict(X), fitted.labels_)
    assert np.array_equal(small(method).fit_transform(X), z)


@pytest.mark.parametrize("method", NEAREST, ids=lambda method: method.__name__)
def test_the_most_probable_cluster_has_the_nearest_center(method):
    fitted = small(method).fit(X)
    z = fitted.transform(X)
    distance = ((z[:, None] - fitted.cluster_centers_) ** 2).sum(2)
    assert z.shape == (120, 3) and np.array_equal(distance.argmin(1), fitted.labels_)


@each_method
def test_predictions_leave_the_model_and_the_data_alone(method):
    fitted, data = small(method).fit(X), X.copy()
    weights = [*fitted.network_.state_dict().values(), *fitted.head_.state_dict().values()]
    before = [value.clone() for value in weights]
    first = fitted.predict_proba(data)
    assert np.array_equal(fitted.predict_proba(data), first) and np.array_equal(data, X)
    assert all(torch.equal(a, b) for a, b in zip(before, weights, strict=True))


@each_method
def test_centers_decode_to_inputs(method):
    fitted = small(method).fit(X)
    decodes = hasattr(fitted.network_, "decode")
    assert hasattr(fitted, "inverse_transform") == decodes
    if not decodes:
        return
    centers = fitted.inverse_transform(fitted.cluster_centers_)
    assert centers.shape == (3, 8) and centers.dtype == np.float32
    z = torch.tensor(fitted.cluster_centers_)
    decoded = fitted.network_.decode(z).detach().numpy()
    np.testing.assert_allclose(centers, fitted.scaling_.undo(decoded), rtol=1e-5, atol=1e-6)


@each_method
def test_fit_predict_hands_on_what_fit_takes(method):
    at_once, in_two = small(method), small(method).fit(X, TRUTH)
    assert np.array_equal(at_once.fit_predict(X, TRUTH), in_two.labels_)
    assert np.array_equal(at_once.transform(X), in_two.transform(X))


@each_pretrained
def test_inverse_transform_is_in_the_units_of_the_data(method):
    fitted = small(method, pretrain_epochs=40, noise=0.2).fit(X * 1000)
    rebuilt = fitted.inverse_transform(fitted.transform(X * 1000))
    assert rebuilt.shape == X.shape and np.abs(rebuilt - X * 1000).mean() < 150
    assert fitted.inverse_transform(fitted.cluster_centers_).shape == (3, 8)
    with pytest.raises(ValueError, match="Z: expected width 3, got 8"):
        fitted.inverse_transform(X)


@each_pretrained
def test_starting_from_a_trained_autoencoder(method):
    given = small(AutoencoderKMeans).fit(X).network_
    before = [value.clone() for value in given.state_dict().values()]
    fitted = small(method, autoencoder=given).fit(X)
    assert all(torch.equal(a, b) for a, b in zip(before, given.state_dict().values(), strict=True))
    assert fitted.network_ is not given and not {"layer_1", "pretrain"} & fitted.history_.keys()
    with pytest.raises(ValueError, match=r"autoencoder: expected layers \[\(16, 5\), .* got \[\(16, 8\), "):
        small(method, autoencoder=given).fit(X[:, :5])
    with pytest.raises(ValueError, match="autoencoder: expected layers"):
        small(method, autoencoder=given, widths=(16, 4)).fit(X)


def lines_of_code(source):
    """Number of lines with code: no docstrings, no comments, no blank ones."""
    texts = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            texts.update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    empty = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in empty:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - texts)


SAMPLE = '''"""Module.

More.
"""

# comment
x = (
    1,
)


def f():
    """Text."""
    return """a
b"""  # two lines
'''


def test_lines_of_code_are_counted_without_texts():
    assert lines_of_code(SAMPLE) == 6


@each_method
def test_is_documented_where_the_book_looks(method):
    assert issubclass(method, DeepClusterer)
    for name in method().get_params():
        assert name in method.__doc__, name


@each_method
def test_a_method_reads_like_its_paper(method):
    assert lines_of_code(inspect.getsource(inspect.getmodule(method))) <= 110


@each_method
def test_the_last_snapshot_is_of_the_fitted_network(method):
    fitted = small(method, snapshot_every=1, precision="float32").fit(X)
    shot = fitted.snapshots_[-1]
    np.testing.assert_allclose(shot.embedding, fitted.transform(X)[fitted.snapshot_index_], rtol=1e-4, atol=1e-5)


@each_method
@pytest.mark.filterwarnings("error:The given NumPy array is not writable")
def test_a_model_in_a_memory_map_predicts(method, tmp_path):
    fitted = small(method).fit(X)
    joblib.dump(fitted, tmp_path / "dump")
    torch.set_warn_always(True)  # PyTorch would say it once a process
    try:
        mapped = joblib.load(tmp_path / "dump", mmap_mode="r")
        assert np.array_equal(mapped.predict_proba(X), fitted.predict_proba(X))
        mapped.save(tmp_path / "model")
    finally:
        torch.set_warn_always(False)


@each_method
def test_arguments_for_the_next_fit_leave_this_ones_answers(method):
    fitted = small(method, random_state=None).fit(X)
    names = ("predict", "predict_proba", "transform", "cluster")
    ways = [getattr(fitted, name) for name in names if hasattr(fitted, name)]
    before = [way(X) for way in ways]
    numbers = {"nu": 50.0, "fuzziness": 3.0, "n_clusters": 2, "temperature": 9.0, "noise": 0.7, "random_state": 9}
    fitted.set_params(**{name: value for name, value in numbers.items() if name in fitted.get_params()})
    for way, answer in zip(ways, before, strict=True):
        np.testing.assert_array_equal(way(X), answer)
