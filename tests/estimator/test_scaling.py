"""Scaling of inputs: each rule against NumPy in double precision, and the way back."""

import numpy as np
import pytest
from own_method import ShallowAutoencoder
from small_fits import METHODS, blobs, small

from dctutor.estimator import Scaling

RULES = ("unit_power", "unit_range", "centred", "none")
X = np.random.default_rng(0).normal(3, 2, (5000, 4)).astype(np.float32) * np.float32([1, 1, 5, 0.1])
each_rule = pytest.mark.parametrize("rule", RULES)


def expected(rule, x, new=None):
    """The rule, written out for double precision: learnt from ``x``, applied to ``new``."""
    x = x.astype(float)
    new = x if new is None else new.astype(float)
    if rule == "unit_power":
        return new / np.sqrt((x**2).mean())
    if rule == "unit_range":
        return ((new - x.min()) / (x.max() - x.min())).clip(0, 1)
    if rule == "centred":
        return (new - x.mean(0)) / np.sqrt(x.var(0).mean())
    return new


@each_rule
def test_rules_are_those_of_numpy(rule):
    scaling = Scaling.learn(rule, X)
    scaled = scaling.apply(X)
    assert scaled.dtype == np.float32 and scaled.shape == X.shape
    np.testing.assert_allclose(scaled, expected(rule, X), rtol=1e-5, atol=1e-5)
    new = X[:7] * 3 - 20
    np.testing.assert_allclose(scaling.apply(new), expected(rule, X, new), rtol=1e-5, atol=1e-5)


def test_what_each_rule_promises():
    scaled = {rule: Scaling.learn(rule, X).apply(X).astype(float) for rule in RULES}
    assert (scaled["unit_power"] ** 2).mean() == pytest.approx(1, rel=1e-5)
    assert scaled["unit_range"].min() == 0 and scaled["unit_range"].max() == pytest.approx(1, rel=1e-6)
    np.testing.assert_allclose(scaled["centred"].mean(0), 0, atol=1e-5)
    assert scaled["centred"].var(0).mean() == pytest.approx(1, rel=1e-5)
    assert np.array_equal(scaled["none"], X)


@each_rule
@pytest.mark.parametrize("size", [1e-30, 1.0, 1e6, 1e30])
def test_undo_takes_back_what_apply_did(rule, size):
    data = X * np.float32(size)
    scaling = Scaling.learn(rule, data)
    spread = data.max() - data.min()
    np.testing.assert_allclose(scaling.undo(scaling.apply(data)), data, rtol=1e-5, atol=1e-6 * spread)
    np.testing.assert_allclose(scaling.apply(data), expected(rule, data), rtol=1e-5, atol=1e-5)


@each_rule
def test_data_far_from_the_origin_keep_their_digits(rule):
    data = X + np.float32(2**20)
    scaling = Scaling.learn(rule, data)
    step = 2**-24 * 2**20 if rule == "centred" else 0  # of a mean in float32
    np.testing.assert_allclose(
        scaling.apply(data), expected(rule, data), rtol=1e-5, atol=1e-5 + 1.01 * step * scaling.factor
    )


@each_rule
@pytest.mark.parametrize("value", [0.0, 1.7, -2.5, 1e-42, 255.0, 3e38])
def test_constant_data_stay_finite_and_come_back(rule, value):
    data = np.full((50, 3), value, np.float32)
    scaling = Scaling.learn(rule, data)
    scaled = scaling.apply(data)
    assert 0 < scaling.factor < np.inf and (scaled == scaled[0, 0]).all() and np.isfinite(scaled).all()
    assert rule in ("unit_power", "none") or not scaled.any()
    np.testing.assert_allclose(scaling.undo(scaled), data, rtol=1e-6)


def test_a_constant_column_is_not_blown_up_by_rounding():
    data = np.hstack([X[:, :1], np.full((len(X), 1), 0.1, np.float32)])
    scaled = Scaling.learn("centred", data).apply(data)
    assert abs(scaled[:, 1]).max() < 1e-6 and scaled[:, 0].var() == pytest.approx(2, rel=1e-4)


def test_only_the_range_is_clipped():
    beyond = np.float32([[X.min() - 5], [X.max() + 5]])
    for rule in RULES:
        scaling = Scaling.learn(rule, X)
        assert scaling.clipped == (rule == "unit_range")
        if rule != "centred":  # which has one shift per feature
            found = scaling.apply(beyond)
            np.testing.assert_allclose(found, expected(rule, X, beyond), rtol=1e-5)
    inside = Scaling.learn("unit_range", X).undo(np.float32([[-0.5, 1.5]]))  # reconstructions are not clipped
    span = float(X.max()) - float(X.min())
    np.testing.assert_allclose(inside[0], [X.min() - span / 2, X.max() + span / 2], rtol=1e-5)


@each_rule
@pytest.mark.parametrize("low", [-3e38, 0, 1e38])
def test_numbers_near_the_largest_float32_do_not_overflow(rule, low):
    data = np.linspace(low, 3e38, 400).reshape(100, 4).astype(np.float32)
    scaling = Scaling.learn(rule, data)
    np.testing.assert_allclose(scaling.apply(data), expected(rule, data), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(scaling.undo(scaling.apply(data)), data, rtol=1e-5, atol=1e33)


@each_rule
def test_numbers_below_the_smallest_normal_float32_stay_as_they_are(rule):
    data = (X * 1e-42).astype(np.float32)
    scaling = Scaling.learn(rule, data)
    scaled = scaling.apply(data)
    assert np.isfinite(scaled).all() and 0 < scaling.factor < np.inf
    np.testing.assert_allclose(scaling.undo(scaled), data, atol=1e-41)


@each_rule
def test_far_samples_and_codes_stay_finite(rule):
    scaling = Scaling.learn(rule, X * np.float32(1e-20))
    far = np.float32([[3e38, -3e38, 1, 0]])
    assert np.isfinite(scaling.apply(far)).all() and np.isfinite(scaling.undo(far)).all()


@each_rule
def test_neither_direction_touches_what_it_is_given(rule):
    data = X.copy()
    scaling = Scaling.learn(rule, data)
    scaled = scaling.apply(data)
    kept = scaled.copy()
    restored = scaling.undo(scaled)
    scaled += 1
    assert np.array_equal(data, X) and np.array_equal(scaled, kept + 1)
    assert not np.shares_memory(restored, scaled) and not np.shares_memory(scaled, data)


def test_the_sums_are_taken_in_double_precision():
    data = np.ones((200_000, 8), np.float32) + np.float32(2**-12) * (np.arange(200_000) % 2)[:, None].astype(np.float32)
    assert Scaling.learn("unit_power", data).factor == pytest.approx(1 / np.sqrt((data.astype(float) ** 2).mean()))
    assert Scaling.learn("centred", data).factor == pytest.approx(1 / data.astype(float).std(), rel=1e-3)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__name__)
def test_a_method_learns_its_rule_from_the_training_data(method):
    data = blobs(60)[0] * 1000
    fitted = small(method).fit(data)
    scaled = fitted.scaling_.apply(data.astype(np.float32))
    np.testing.assert_allclose(scaled, expected(method.input_scaling, data), rtol=1e-4, atol=1e-4)


@each_rule
def test_a_method_of_ones_own_chooses_its_rule(rule):
    class Scaled(ShallowAutoencoder):
        input_scaling = rule

    data, seen = blobs(60)[0] * 50 + 5, []

    def look(loop):
        seen.append(loop.x.cpu().numpy())

    fitted = Scaled(3, width=4, epochs=1, random_state=0, verbose=False, on_epoch=look).fit(data)
    np.testing.assert_allclose(seen[0], expected(rule, data), rtol=1e-4, atol=1e-4)
    codes = fitted.transform(data)
    np.testing.assert_array_equal(fitted.transform(data.tolist()), codes)
    rebuilt = fitted.network_.decode(fitted.network_.encode(fitted_input(fitted, data))).detach().numpy()
    np.testing.assert_allclose(fitted.inverse_transform(codes), fitted.scaling_.undo(rebuilt), rtol=1e-4)


def fitted_input(fitted, data):
    import torch

    return torch.from_numpy(fitted.scaling_.apply(data.astype(np.float32)))
