import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from dctutor import plots

rng = np.random.default_rng(0)


def test_prototypes_are_drawn_in_rows():
    images = rng.uniform(-0.5, 1.5, size=(5, 12))
    figure = plots.prototypes(images, image_shape=(1, 3, 4), titles=list("abcde"), ncols=3)
    drawn = [ax for ax in figure.axes if ax.images]
    assert len(figure.axes) == 6 and [ax.get_title() for ax in drawn] == list("abcde")
    assert np.allclose(drawn[4].images[0].get_array(), images[4].reshape(3, 4).clip(0, 1))


def test_colour_images_and_image_arrays():
    images = rng.uniform(size=(2, 3, 4, 5))
    figure = plots.prototypes(images, image_shape=(3, 4, 5))
    assert np.allclose(figure.axes[1].images[0].get_array(), np.moveaxis(images[1], 0, -1))


def shown(figure):
    return [np.asarray(ax.images[0].get_array()) for ax in figure.axes if ax.images]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("given", [np.array, torch.tensor], ids=["array", "tensor"])
def test_uint8_goes_from_0_to_255(given):
    pixels = np.array([[0, 51, 102, 255]], dtype=np.uint8)
    for figure in (
        plots.prototypes(given(pixels), image_shape=(1, 2, 2)),
        plots.image_rows({"a": given(pixels)}, (1, 2, 2)),
    ):
        np.testing.assert_allclose(shown(figure)[0], [[0, 0.2], [0.4, 1]])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "pixels", [[[False, True]], [[0, 1]], np.array([[-0.5, 1.5]]), np.array([[0, 1]], dtype=object), [[np.nan, 1]]]
)
def test_pixels_from_0_to_1_and_a_little_beyond_are_drawn_without_a_warning(pixels):
    assert shown(plots.prototypes(pixels, image_shape=(1, 1, 2)))[0][0, 1] == 1


@pytest.mark.parametrize(
    "pixels",
    [
        np.array([[0.0, 255.0]]),
        np.array([[0, 16]]),
        np.array([[-1.0, 1.0]], dtype=np.float32),
        np.array([[0.2, np.inf]]),
        np.array([[np.nan, 2]]),
        np.array([[0, 255]], dtype=object),
    ],
)
def test_pixels_of_another_unit_give_a_warning_that_says_what_to_do(pixels):
    for call, name in (
        (lambda: plots.prototypes(pixels, image_shape=(1, 1, 2)), "images"),
        (lambda: plots.image_rows({"a": [[0, 1]], "b": pixels}, (1, 1, 2)), r"rows\['b'\]"),
    ):
        with pytest.warns(UserWarning, match=rf"^{name}: expected pixels in \[0, 1\].* divide them by 255") as caught:
            call()
        assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.parametrize(
    "pixels", [[["a", "b"]], [[1j, 0]], [[0, 1], [0]], np.array([[None, "x"]], dtype=object), [[2**2000, 0]], 3]
)
def test_pixels_that_are_no_numbers_are_refused_by_name(pixels):
    for name, call in (
        ("images", lambda: plots.prototypes(pixels, image_shape=(1, 1, 2))),
        (r"rows\['a'\]", lambda: plots.image_rows({"a": pixels}, (1, 1, 2))),
    ):
        with pytest.raises((TypeError, ValueError), match=f"^{name}: expected"):
            call()


def test_image_rows_keep_order_and_names():
    rows = {"original": rng.uniform(size=(4, 6)), "reconstruction": rng.uniform(size=(4, 6))}
    figure = plots.image_rows(rows, (1, 2, 3))
    assert [part.get_suptitle() for part in figure.subfigs] == list(rows)
    assert np.allclose(figure.subfigs[1].axes[2].images[0].get_array(), rows["reconstruction"][2].reshape(2, 3))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"images": np.zeros((2, 10)), "image_shape": (1, 3, 3)}, r"images: expected shape \(k, 9\)"),
        ({"images": np.zeros((0, 9)), "image_shape": (1, 3, 3)}, "with k >= 1"),
        ({"images": np.zeros((2, 9)), "image_shape": (3, 3)}, r"image_shape: expected \(C, H, W\)"),
        ({"images": np.zeros((2, 18)), "image_shape": (2, 3, 3)}, "1 or 3 channels"),
        ({"images": np.zeros((2, 9)), "image_shape": (1, 3, 3), "titles": ["a"]}, "titles: expected 2"),
        ({"images": np.zeros((2, 9)), "image_shape": (1, 3, 3), "ncols": 0}, "ncols"),
    ],
)
def test_prototypes_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        plots.prototypes(**arguments)


def test_image_rows_refuses():
    with pytest.raises(ValueError, match=r"equal numbers of images, got {'a': 2, 'b': 3}"):
        plots.image_rows({"a": np.zeros((2, 4)), "b": np.zeros((3, 4))}, (1, 2, 2))
    with pytest.raises(ValueError, match="equal numbers of images"):
        plots.image_rows({}, (1, 2, 2))
    with pytest.raises(ValueError, match=r"rows\['a'\]: expected shape"):
        plots.image_rows({"a": np.zeros((2, 5))}, (1, 2, 2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plots.prototypes(np.zeros((3, 4)), image_shape=None), "image_shape: expected"),
        (lambda: plots.image_rows({"a": np.zeros((3, 4))}, None), "image_shape: expected"),
        (lambda: plots.prototypes(np.zeros((3, 4)), image_shape=(1, 2, 2), ncols=2.5), "ncols: expected an integer"),
    ],
)
def test_images_refuse_and_leave_no_figure(call, message):
    before = plt.get_fignums()
    with pytest.raises((TypeError, ValueError), match=message):
        call()
    assert plt.get_fignums() == before
