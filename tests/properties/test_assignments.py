"""Assignments are distributions at any scale, and augmentation by nothing is nothing."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from dctutor.augmentation import affine, augmenter, mask
from dctutor.losses import student_t, target_distribution

scales = st.floats(-30, 15).map(lambda exponent: 10.0**exponent)
sizes = st.integers(1, 6)
seeds = st.integers(0, 2**31)


def normal(seed, *shape, scale=1.0):
    return torch.from_numpy(np.random.default_rng(seed).normal(0, scale, shape)).float()


@given(seed=seeds, n=sizes, p=sizes, k=sizes, scale=scales, nu=st.sampled_from([0.5, 1.0, 9.0]))
def test_student_t_sums_to_one_at_extreme_scales(seed, n, p, k, scale, nu):
    q = student_t(normal(seed, n, p, scale=scale), normal(seed + 1, k, p, scale=scale), nu)
    assert torch.isfinite(q).all() and (q >= 0).all()
    assert torch.allclose(q.sum(1), torch.ones(n), atol=1e-5)


@given(seed=seeds, n=sizes, k=sizes, sharpness=st.floats(0, 60))
def test_the_target_sums_to_one_even_for_assignments_that_are_nearly_hard(seed, n, k, sharpness):
    p = target_distribution(torch.softmax(sharpness * normal(seed, n, k), dim=1))
    assert torch.isfinite(p).all() and (p >= 0).all()
    assert torch.allclose(p.sum(1), torch.ones(n), atol=1e-5)


@given(seed=seeds, n=sizes, k=sizes, order=st.randoms(use_true_random=False))
def test_permuted_centers_permute_the_assignments(seed, n, k, order):
    z, centers = normal(seed, n, 3), normal(seed + 1, k, 3)
    places = order.sample(range(k), k)
    assert torch.allclose(student_t(z, centers[places]), student_t(z, centers)[:, places], atol=1e-6)


@given(seed=seeds, n=sizes, shape=st.tuples(st.integers(1, 3), st.integers(2, 7), st.integers(2, 7)), scale=scales)
def test_augmentation_by_zero_is_the_identity(seed, n, shape, scale):
    x = normal(seed, n, int(np.prod(shape)), scale=scale)
    generator = torch.Generator().manual_seed(seed)
    none = dict.fromkeys(("rotation", "shift", "zoom", "shear", "flip"), 0.0)
    for same in (
        affine(x, shape, generator, **none),
        augmenter(none, shape, generator)(x),
        augmenter(None, None, generator)(x),
        mask(x, 0.0, generator),
    ):
        assert torch.equal(same, x)
