"""The layout of images, and 2-D arrays of numbers: told apart, or an error that names the argument."""

import re

import numpy as np
import pytest
import torch
from PIL import Image
from small_fits import small

from dctutor import DEC, DEPICT, AutoencoderKMeans, DSCNet
from dctutor._inputs import check_table, image_shape

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (30, 6, 8, 3), dtype=np.uint8)
CHANNELS_LAST = {
    "colour": COLOUR,
    "grey": COLOUR[..., :1],
    "with transparency": COLOUR[..., [0, 1, 2, 0]],
    "a tensor": torch.from_numpy(COLOUR),
    "pictures": [Image.fromarray(picture) for picture in COLOUR],
    "a nested list": COLOUR.tolist(),
}


@pytest.mark.parametrize("method", [DEC, DEPICT, DSCNet])
@pytest.mark.parametrize("name", CHANNELS_LAST)
def test_channels_last_is_an_error_that_says_what_to_do(method, name):
    data = CHANNELS_LAST[name]
    shape = tuple(np.shape(data))
    message = f"X: expected images of shape (n, C, H, W), got {shape}, which looks like (n, H, W, C); give"
    with pytest.raises(ValueError, match=f"^{re.escape(message)} np.moveaxis"):
        small(method).fit(data)


@pytest.mark.parametrize("name", CHANNELS_LAST)
def test_the_advice_is_right(name):
    fitted = small(AutoencoderKMeans, pretrain_epochs=1).fit(np.moveaxis(np.asarray(CHANNELS_LAST[name]), 3, 1))
    assert fitted.image_shape_ == (np.shape(CHANNELS_LAST[name])[3], 6, 8)


def test_grey_pictures_need_no_channel():
    pictures = [Image.fromarray(picture) for picture in COLOUR[..., 0]]
    fitted = small(AutoencoderKMeans, pretrain_epochs=1).fit(pictures)
    expected = small(AutoencoderKMeans, pretrain_epochs=1).fit(COLOUR[:, None, ..., 0])
    assert fitted.image_shape_ == expected.image_shape_ == (1, 6, 8)
    assert np.array_equal(fitted.cluster_centers_, expected.cluster_centers_)


def test_image_shape_says_that_the_first_axis_holds_channels():
    maps = COLOUR.astype(float)  # six channels of 8 x 3
    fitted = small(DEPICT, image_shape=(6, 8, 3), pretrain_epochs=1, epochs=1).fit(maps)
    assert fitted.image_shape_ == (6, 8, 3)
    assert np.array_equal(fitted.predict(maps), fitted.predict(maps.reshape(30, -1)))


def test_image_shape_with_the_axes_in_another_order_than_the_data():
    with pytest.raises(ValueError, match=r"^X: expected images of shape \(n, C, H, W\).*np\.moveaxis\(X, 3, 1\)"):
        small(DEPICT, image_shape=(3, 6, 8)).fit(COLOUR)
    with pytest.raises(ValueError, match=r"^image_shape: expected .* images of shape \(3, 6, 8\), got \(3, 8, 6\)"):
        small(DEPICT, image_shape=(3, 8, 6)).fit(np.moveaxis(COLOUR, 3, 1))


@pytest.mark.parametrize(
    ("given", "shape", "expected"),
    [
        (None, (9, 48), None),
        (None, (9, 6, 8), (1, 6, 8)),
        (None, (9, 6, 3), (1, 6, 3)),
        (None, (9, 3, 6, 8), (3, 6, 8)),
        (None, (9, 1, 8, 4), (1, 8, 4)),  # four columns
        (None, (9, 3, 6, 3), (3, 6, 3)),  # either may hold the channels
        (None, (9, 16, 4, 5), (16, 4, 5)),  # neither does
        ((6, 8, 3), (9, 6, 8, 3), (6, 8, 3)),
        (np.array([3, 4, 4]), (9, 48), (3, 4, 4)),
        ([np.int64(1), 6, 8], (9, 6, 8), (1, 6, 8)),
    ],
)
def test_what_is_no_doubtful_layout_is_taken_as_it_is(given, shape, expected):
    assert image_shape(given, shape, int(np.prod(shape[1:]))) == expected


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ([1.0, 2.0], ValueError, r"expected a 2-D array of shape \(n, p\) with n, p >= 1, got shape \(2,\)"),
        (np.zeros((0, 2)), ValueError, r"expected a 2-D array .* got shape \(0, 2\)"),
        ([[1.0], [1.0, 2.0]], ValueError, "expected a 2-D array of shape .* got rows of several lengths"),
        ([["a"]], TypeError, "expected a 2-D array of numbers, got dtype"),
        ([[1j]], TypeError, "expected a 2-D array of numbers, got dtype complex128"),
        ([[None]], ValueError, "expected finite numbers, got NaN"),
        ([[{}]], TypeError, "expected a 2-D array of numbers, got dtype object"),
        ([[10**400, 1]], ValueError, "expected numbers that a float can hold"),
        ([[np.inf]], ValueError, "expected finite numbers, got NaN or infinity"),
    ],
)
def test_what_is_no_2d_array_of_numbers_is_named(value, error, message):
    with pytest.raises(error, match=f"^Z: {message}"):
        check_table("Z", value)


def test_2d_arrays_of_other_libraries_and_types():
    for value in (
        [[1, 2]],
        np.array([[1, 2]], dtype=object),
        torch.tensor([[1, 2]]),
        torch.tensor([[1.0, 2.0]]).bfloat16(),
    ):
        found = check_table("Z", value)
        assert found.tolist() == [[1, 2]] and found.dtype.kind == "f"
    assert check_table("Z", np.ones((1, 1), np.float32)).dtype == np.float32
