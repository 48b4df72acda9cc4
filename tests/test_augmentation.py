"""Random changes of samples: each against another way of making the same picture."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from dctutor.augmentation import affine, mask, random_perturbation, virtual_adversarial

SHAPE = (1, 28, 28)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("rate", [0.1, 0.2, 0.5, 0.9])
def test_mask_zeroes_its_share_and_keeps_the_mean(rate):
    masked = mask(torch.ones(1000, 1000), rate, seeded())
    share = round(rate * 256) / 256
    assert (masked == 0).float().mean().item() == pytest.approx(share, abs=0.003)
    assert masked.mean().item() == pytest.approx(1, abs=0.03)
    assert masked.max().item() == pytest.approx(1 / (1 - share))


def test_mask_draws_every_entry_by_itself():
    masked = mask(torch.ones(4000, 16), 0.5, seeded()) == 0
    assert (masked.float().mean(0) - 0.5).abs().max() < 0.04
    # Sixteen tosses of a coin: rows masked as a whole would spread by 0.5, rows masked by count not at all.
    assert masked.float().mean(1).std().item() == pytest.approx(0.5 / 16**0.5, abs=0.01)
    correlation = np.corrcoef(masked.float().numpy().T)
    assert np.abs(correlation - np.eye(16)).max() < 0.08


def test_mask_of_rate_0_is_the_input():
    x = torch.randn(3, 5)
    assert mask(x, 0.0, seeded()) is x


@pytest.mark.parametrize("rate", [0.002, 0.99, 0.999, 1 - 1e-9])
def test_mask_at_the_ends_of_its_range(rate):
    masked = mask(torch.ones(100, 1000), rate, seeded())
    assert torch.isfinite(masked).all()
    assert (masked == 0).float().mean().item() == pytest.approx(rate, abs=0.01)


@pytest.mark.parametrize("shape", [(1,), (7,), (3, 5), (2, 3, 3, 1), (8, 8), (1, 9), (0, 4)])
def test_mask_takes_any_shape_and_repeats(shape):
    x = torch.rand(shape) + 1
    first, second = mask(x, 0.3, seeded(4)), mask(x, 0.3, seeded(4))
    assert first.shape == x.shape and torch.equal(first, second)
    kept = first != 0
    torch.testing.assert_close(first[kept], (x * 256 / (256 - 77))[kept])
    before = x.clone()
    mask(x, 0.3, seeded())
    assert torch.equal(x, before)


def test_mask_differs_from_draw_to_draw():
    generator, x = seeded(), torch.ones(50, 50)
    assert not torch.equal(mask(x, 0.3, generator), mask(x, 0.3, generator))


def picture(n=1, shape=SHAPE):
    """Smooth spots far from the edge, so that nothing is lost and interpolation errs little."""
    c, h, w = shape
    rows, columns = np.mgrid[:h, :w]
    spots = np.exp(-((rows - h * 0.4) ** 2 + (columns - w * 0.6) ** 2) / 6)
    spots += 0.5 * np.exp(-((rows - h * 0.55) ** 2 + (columns - w * 0.45) ** 2) / 4)
    return torch.tensor(np.tile(spots.ravel(), (n, c)), dtype=torch.float32)


def middle(images, shape=SHAPE):
    """Centre of mass of each image, row and column."""
    images = images.reshape(-1, *shape)[:, 0].double().numpy()
    return np.array([ndimage.center_of_mass(image) for image in images])


def test_affine_of_no_amounts_is_the_input():
    x = torch.rand(3, 784)
    assert affine(x, SHAPE, seeded()) is x


def test_affine_of_tiny_amounts_is_nearly_the_input():
    x = torch.rand(8, 2 * 5 * 7)
    changed = affine(x, (2, 5, 7), seeded(), rotation=1e-7, shift=1e-9, zoom=1e-9, shear=1e-7)
    torch.testing.assert_close(changed, x, atol=1e-5, rtol=0)


def test_affine_repeats_with_its_generator_and_changes_each_image_differently():
    x = picture(4)
    amounts = {"rotation": 20, "shift": 0.1, "zoom": 0.1, "shear": 5, "flip": 0.5}
    one, again = (affine(x, SHAPE, seeded(3), **amounts) for _ in range(2))
    assert torch.equal(one, again)
    assert torch.pdist(one).min() > 0.1


def test_shift_moves_the_centre_of_mass_by_up_to_its_fraction_of_the_size():
    moved = middle(affine(picture(500), SHAPE, seeded(), shift=0.1)) - middle(picture())
    assert np.abs(moved).max() < 2.8 + 0.05
    # Uniform within 2.8 pixels, rows and columns apart from each other.
    assert np.allclose(moved.std(axis=0), 2.8 / 3**0.5, rtol=0.08)
    assert abs(np.corrcoef(moved.T)[0, 1]) < 0.15


def test_shift_is_a_fraction_of_height_and_of_width():
    shape = (1, 40, 20)
    moved = middle(affine(picture(500, shape), shape, seeded(), shift=0.1), shape) - middle(picture(1, shape), shape)
    assert np.allclose(moved.std(axis=0), np.array([4, 2]) / 3**0.5, rtol=0.08)


def test_rotation_turns_about_the_middle_by_up_to_its_angle():
    about = (28 - 1) / 2
    before, after = middle(picture())[0] - about, middle(affine(picture(500), SHAPE, seeded(), rotation=30)) - about
    assert np.allclose(np.linalg.norm(after, axis=1), np.linalg.norm(before), rtol=0.03)
    angles = np.degrees(np.arctan2(after[:, 0], after[:, 1]) - np.arctan2(before[0], before[1]))
    assert np.abs(angles).max() < 30.5
    assert np.isclose(angles.std(), 30 / 3**0.5, rtol=0.08)


def test_rotation_agrees_with_scipy():
    # The draws of the only image are known: the first number is the angle's.
    angle = 45 * (2 * torch.rand(1, 6, generator=seeded(1))[0, 0].item() - 1)
    ours = affine(picture(), SHAPE, seeded(1), rotation=45).reshape(28, 28).numpy()
    theirs = ndimage.rotate(picture().reshape(28, 28).numpy(), angle, reshape=False, order=1, mode="nearest")
    mirrored = ndimage.rotate(picture().reshape(28, 28).numpy(), -angle, reshape=False, order=1, mode="nearest")
    assert min(np.abs(ours - theirs).max(), np.abs(ours - mirrored).max()) < 1e-4


def test_zoom_changes_the_area():
    areas = affine(picture(500), SHAPE, seeded(), zoom=0.2).sum(1) / picture().sum()
    factors = areas.sqrt().numpy()
    assert 0.79 < factors.min() < 0.83 and 1.17 < factors.max() < 1.21


def test_shear_moves_columns_by_their_row_and_no_row():
    before, after = middle(picture(200)), middle(affine(picture(200), SHAPE, seeded(), shear=30))
    assert np.allclose(before[:, 0], after[:, 0], atol=0.05)
    assert np.ptp(after[:, 1]) > 0.5


def test_flip_mirrors_a_fraction_of_the_images():
    x = torch.rand(1, 3 * 4 * 6).repeat(1000, 1)
    flipped = x.reshape(-1, 3, 4, 6).flip(3).reshape(1000, -1)
    changed = affine(x, (3, 4, 6), seeded(), flip=0.3)
    is_flipped = torch.isclose(changed, flipped, atol=1e-5).all(1)
    assert torch.isclose(changed, x, atol=1e-5).all(1).logical_xor(is_flipped).all()
    assert is_flipped.float().mean().item() == pytest.approx(0.3, abs=0.05)


def test_what_enters_the_image_repeats_its_edge():
    changed = affine(torch.full((50, 784), 0.7), SHAPE, seeded(), rotation=45, shift=0.5)
    torch.testing.assert_close(changed, torch.full((50, 784), 0.7))


def test_gradients_pass_through():
    x = picture().requires_grad_()
    affine(x, SHAPE, seeded(), rotation=10).sum().backward()
    assert x.grad is not None and x.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("amounts", "error", "message"),
    [
        ({"rotation": -1}, ValueError, r"rotation: expected a number in \[0, inf\), got -1"),
        ({"zoom": 1.0}, ValueError, r"zoom: expected a number in \[0, 1\), got 1.0"),
        ({"shear": 90}, ValueError, r"shear: expected a number in \[0, 90\), got 90"),
        ({"flip": 1.1}, ValueError, r"flip: expected a number in \[0, 1\], got 1.1"),
        ({"shift": "0.1"}, TypeError, r"shift: expected a number, got '0.1'"),
    ],
)
def test_bad_amounts_are_named(amounts, error, message):
    with pytest.raises(error, match=message):
        affine(torch.zeros(1, 784), SHAPE, seeded(), **amounts)


def test_random_perturbations_have_their_length_and_any_direction():
    x, radius = torch.randn(4000, 5, generator=seeded(1)), torch.linspace(0, 3, 4000)
    moved = random_perturbation(x, radius, seeded()) - x
    torch.testing.assert_close(moved.norm(dim=1), radius, rtol=1e-4, atol=1e-6)
    directions = moved[1:] / radius[1:, None]
    # Uniform on the sphere: mean 0, covariance 1 / d.
    assert directions.mean(0).abs().max() < 0.03
    torch.testing.assert_close(directions.T @ directions / len(directions), torch.eye(5) / 5, rtol=0, atol=0.015)


def linear(d=6, k=4, seed=0):
    """A linear classifier in double precision."""
    weights = torch.randn(k, d, generator=seeded(seed), dtype=torch.float64)
    return lambda x: x @ weights.T


def hessian(classify, x):
    """Of the divergence of an answer from that at ``x``, by automatic differentiation."""
    target = classify(x[None]).softmax(1)

    def divergence(r):
        return (target * (target.log() - classify((x + r)[None]).log_softmax(1))).sum()

    return torch.autograd.functional.hessian(divergence, torch.zeros_like(x))


def test_virtual_adversarial_is_the_leading_eigenvector_of_the_divergence():
    classify, x = linear(), torch.randn(5, 6, generator=seeded(1), dtype=torch.float64)
    moved = virtual_adversarial(x, classify, 2.0, seeded(), probe=1e-5, iterations=300) - x
    torch.testing.assert_close(moved.norm(dim=1), torch.full((5,), 2.0, dtype=torch.float64))
    for row, r in zip(x, moved, strict=True):
        leading = torch.linalg.eigh(hessian(classify, row)).eigenvectors[:, -1]
        assert abs(r @ leading).item() == pytest.approx(2, rel=1e-4)


def test_one_iteration_is_a_product_with_the_hessian():
    classify, x = linear(), torch.randn(5, 6, generator=seeded(1), dtype=torch.float64)
    first = random_perturbation(x, 1.0, seeded(3)) - x
    moved = virtual_adversarial(x, classify, 0.5, seeded(3), probe=1e-5) - x
    for row, d, r in zip(x, first, moved, strict=True):
        product = hessian(classify, row) @ d
        torch.testing.assert_close(r, 0.5 * product / product.norm(), rtol=1e-3, atol=1e-4)


def test_virtual_adversarial_changes_answers_more_than_chance():
    classify, x = linear(50), torch.randn(200, 50, generator=seeded(1), dtype=torch.float64)
    p = classify(x).log_softmax(1)

    def change(moved):
        return (p.exp() * (p - classify(moved).log_softmax(1))).sum(1).mean()

    by_chance = change(virtual_adversarial(x, classify, 0.3, seeded(), iterations=0))
    torch.testing.assert_close(by_chance, change(random_perturbation(x, 0.3, seeded())))
    assert change(virtual_adversarial(x, classify, 0.3, seeded())) > 5 * by_chance


def test_virtual_adversarial_leaves_no_gradient_behind_and_takes_given_logits():
    layer, x = torch.nn.Linear(6, 3), torch.randn(8, 6, generator=seeded(1)).requires_grad_()
    moved = virtual_adversarial(x, layer, 1.0, seeded())
    given = virtual_adversarial(x, layer, 1.0, seeded(), target=layer(x))
    assert layer.weight.grad is None and x.grad is None and not moved.requires_grad
    assert torch.equal(moved, given)
    with torch.no_grad():
        assert torch.equal(virtual_adversarial(x, layer, 1.0, seeded()), moved)


@pytest.mark.parametrize("scale", [0.0, 1e-18, 1e30])
def test_virtual_adversarial_moves_by_the_radius_whatever_the_gradient(scale):
    """It vanishes where nothing depends on the sample, and where the answer is entirely sure."""
    x = torch.randn(8, 6, generator=seeded(1))
    moved = virtual_adversarial(x, lambda x: scale * x[:, :3], 1.0, seeded()) - x
    torch.testing.assert_close(moved.norm(dim=1), torch.ones(8))


def test_virtual_adversarial_under_autocast():
    layer, x = torch.nn.Linear(20, 3), torch.randn(8, 20, generator=seeded(1))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        narrow = virtual_adversarial(x, layer, 1.0, seeded()) - x
    assert narrow.dtype == torch.float32
    wide = virtual_adversarial(x, layer, 1.0, seeded()) - x
    # Where the answer hardly depends on the sample, the gradient is small and its rounding large.
    assert torch.nn.functional.cosine_similarity(narrow, wide, dim=1).median() > 0.99


@pytest.mark.parametrize(("setting", "message"), [({"probe": 0.0}, "probe"), ({"iterations": -1}, "iterations")])
def test_virtual_adversarial_names_bad_arguments(setting, message):
    with pytest.raises(ValueError, match=f"{message}: expected"):
        virtual_adversarial(torch.zeros(2, 3), linear(3), 1.0, seeded(), **setting)
