"""Any bytes given to `load` end in a documented error; saving and batches change nothing."""

import json
import resource
import sys
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_fits import METHODS, blobs, small

import dctutor
from dctutor import DEC
from dctutor.storage import FileFormatError, read_file, write_file

X, _ = blobs(45)
numbers = st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=8))
anything = st.recursive(
    numbers, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="module")
def model(folder):
    small(DEC).fit(X).save(folder / "model")
    return folder / "model"


def refused(path):
    """Whether `load` refused a file, as it says it does, quickly and without a large allocation."""
    begun, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        loaded = dctutor.load(path)
    except FileFormatError as error:
        assert str(error).startswith("path: ")
        loaded = None
    assert time.process_time() - begun < 5
    unit = 1024 if sys.platform == "darwin" else 1
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / unit < 200 * 1024  # KiB
    return loaded is None


@given(content=st.binary(max_size=400))
def test_any_bytes_are_refused(folder, content):
    (folder / "bytes").write_bytes(content)
    assert refused(folder / "bytes")


@given(header=anything, length=st.integers(0, 2**64 - 1) | st.none(), rest=st.binary(max_size=40))
def test_any_header_is_refused(folder, header, length, rest):
    text = json.dumps(header).encode()
    size = len(text) if length is None else length
    (folder / "header").write_bytes(size.to_bytes(8, "little") + text + rest)
    assert refused(folder / "header")


@given(name=st.text(max_size=6) | st.sampled_from(["a/b", "__metadata__"]), facts=anything)
def test_any_facts_are_refused_even_with_their_true_digest(folder, name, facts):
    write_file(folder / "facts", {"x": torch.zeros(2)}, {name: facts, "method": "DEC"})
    assert refused(folder / "facts")


@settings(max_examples=120)
@given(data=st.data())
def test_a_fact_that_is_exchanged_is_refused_or_does_no_harm(folder, model, data):
    tensors, facts = read_file(model)
    name = data.draw(st.sampled_from(sorted(facts)))
    value = data.draw(anything)
    if name == "parameters" or data.draw(st.booleans()):
        name, value = (
            "parameters",
            facts["parameters"] | {data.draw(st.sampled_from(sorted(facts["parameters"]))): value},
        )
    write_file(folder / "forged", tensors, facts | {name: value})
    if not refused(folder / "forged"):
        q = dctutor.load(folder / "forged").predict_proba(X)
        assert np.isfinite(q).all() and np.allclose(q.sum(1), 1, atol=1e-5)


@given(cut=st.floats(0, 0.999), position=st.floats(0, 0.999), bit=st.integers(0, 7), shorten=st.booleans())
def test_damage_is_found(folder, model, cut, position, bit, shorten):
    content = bytearray(model.read_bytes())
    content[int(position * len(content))] ^= 1 << bit
    (folder / "damaged").write_bytes(content[: int(cut * len(content))] if shorten else content)
    assert refused(folder / "damaged")


def test_a_header_nested_deeply_is_refused(folder):
    text = b'{"__metadata__":' + b"[" * 200_000
    (folder / "deep").write_bytes(len(text).to_bytes(8, "little") + text)
    assert refused(folder / "deep")


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__name__)
def test_saving_batches_and_the_order_of_rows_change_no_prediction(folder, method):
    before = small(method).fit(X)
    before.save(folder / method.__name__)
    after = dctutor.load(folder / method.__name__)
    assert np.array_equal(after.predict_proba(X), before.predict_proba(X))
    whole = before.predict_proba(X)
    assert np.allclose(whole.sum(1), 1, atol=1e-5) and (whole >= 0).all()

    @settings(max_examples=8)
    @given(order=st.permutations(range(len(X))), size=st.integers(1, 50))
    def any_rows(order, size):
        order = np.array(order)
        before.set_params(batch_size=size)
        assert np.allclose(before.predict_proba(X[order]), whole[order], atol=1e-5)
        parts = [before.predict_proba(X[start : start + size]) for start in range(0, len(X), size)]
        assert np.allclose(np.concatenate(parts), whole, atol=1e-5)

    any_rows()
