"""Random changes to samples that a network should learn to ignore."""

import math
from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from dctutor._validation import check_integer, check_number

__all__ = ["affine", "augmenter", "check_affine", "mask", "random_perturbation", "virtual_adversarial"]

#: The amounts of `affine`, and what each stays below; the probability of a flip may be 1.
_BELOW = {"rotation": math.inf, "shift": math.inf, "zoom": 1.0, "shear": 90.0, "flip": math.inf}


def affine(
    x: Tensor,
    image_shape: Sequence[int],
    generator: torch.Generator,
    *,
    rotation: float = 0.0,
    shift: float = 0.0,
    zoom: float = 0.0,
    shear: float = 0.0,
    flip: float = 0.0,
) -> Tensor:
    """Turn, move, zoom, shear and mirror each image by random amounts of its own.

    What leaves the image is lost; what enters it repeats the nearest pixel of the edge. Values between pixels are
    interpolated linearly. The amounts of all changes are uniform in the ranges given.

    Parameters
    ----------
    x : Tensor of shape (n, channels * height * width)
        Images, one per row.
    image_shape : tuple of three ints
        Channels, height, width.
    generator : torch.Generator
        Source of the randomness, on the device of ``x``.
    rotation : float, default=0.0
        Largest angle, in degrees, in either direction.
    shift : float, default=0.0
        Largest shift, as a fraction of the height and of the width, in all four directions.
    zoom : float, default=0.0
        Largest relative change of size: by a factor in [1 - zoom, 1 + zoom], less than 1.
    shear : float, default=0.0
        Largest angle of a horizontal shear, in degrees, in either direction; less than 90.
    flip : float, default=0.0
        Probability of a mirror image (left and right exchanged).

    Returns
    -------
    Tensor of the same shape
        The changed images; ``x`` itself if all amounts are 0.

    Raises
    ------
    TypeError, ValueError
        If an amount is not a number, or out of its range.

    References
    ----------
    Guo et al., "Adaptive Self-Paced Deep Clustering with Data Augmentation", IEEE TKDE 2020, section 4.1: a
    rotation of 10 degrees and a shift of a tenth.
    """
    amounts = {"rotation": rotation, "shift": shift, "zoom": zoom, "shear": shear, "flip": flip}
    check_affine(amounts)
    if not any(amounts.values()):
        return x
    n, (channels, height, width) = len(x), image_shape
    # One row of draws per image, whatever is asked for, so that an amount of 0 changes no other draw.
    draws = torch.rand(n, 6, generator=generator, device=x.device, dtype=torch.float32)
    signed = 2 * draws - 1
    angle, slant = (signed[:, 0] * math.radians(rotation)), torch.tan(signed[:, 1] * math.radians(shear))
    scale = 1 + zoom * signed[:, 2]
    mirror = torch.where(draws[:, 5] < flip, -1.0, 1.0)
    cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
    # From the place of an output pixel to that of the input pixel it shows, in pixels from the centre. The grid is
    # built by hand: several times faster on a CPU than `affine_grid`.
    rows = torch.arange(height, device=x.device, dtype=torch.float32) - (height - 1) / 2
    columns = torch.arange(width, device=x.device, dtype=torch.float32) - (width - 1) / 2
    across = (mirror * cos)[:, None, None] * columns + (mirror * (slant * cos - sin))[:, None, None] * rows[:, None]
    down = sin[:, None, None] * columns + (slant * sin + cos)[:, None, None] * rows[:, None]
    across = (across + (signed[:, 3] * shift * width)[:, None, None]) * (2 / width)
    down = (down + (signed[:, 4] * shift * height)[:, None, None]) * (2 / height)
    images = x.view(n, channels, height, width)
    grid = torch.stack([across, down], dim=-1).to(x.dtype)
    moved = F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return moved.reshape(n, -1)


def augmenter(
    amounts: Mapping[str, float] | None, image_shape: Sequence[int] | None, generator: torch.Generator
) -> Callable[[Tensor], Tensor]:
    """Return a function that changes a batch of images at random, each time anew.

    Parameters
    ----------
    amounts : mapping of str to float or None
        Arguments of `affine`; None or none of them change nothing.
    image_shape : tuple of three ints or None
        Channels, height, width; None if samples are no images.
    generator : torch.Generator
        Source of the randomness, on the device of the images.

    Returns
    -------
    callable
        From a Tensor of shape (n, channels * height * width) to one of the same shape.

    Raises
    ------
    ValueError
        If samples that are no images are to be changed; the argument is called ``augment``.
    """
    if not amounts:
        return lambda x: x
    if image_shape is None:
        raise ValueError("augment: expected None for samples that are not images; give image_shape if they are")
    return lambda x: affine(x, image_shape, generator, **amounts)


def check_affine(amounts: Mapping[str, float], name: str = "") -> None:
    """Raise TypeError or ValueError if amounts are not such as `affine` takes; ``name`` comes first in the message."""
    for key, value in amounts.items():
        if key not in _BELOW:
            raise ValueError(f"{name or 'amounts'}: expected some of {', '.join(_BELOW)}, got {key!r}")
        maximum = 1.0 if key == "flip" else None
        check_number(f"{name}[{key!r}]" if name else key, value, minimum=0, below=_BELOW[key], maximum=maximum)


def mask(x: Tensor, rate: float, generator: torch.Generator) -> Tensor:
    """Set a random fraction of the entries to zero and scale up the rest, so that the mean stays (dropout).

    Parameters
    ----------
    x : Tensor of any shape
        Input.
    rate : float
        Fraction of entries set to zero, in [0, 1); rounded to a multiple of 1/256 below 1.
    generator : torch.Generator
        Source of the randomness, on the device of ``x``.

    Returns
    -------
    Tensor of the same shape
        The corrupted input; ``x`` itself if ``rate`` rounds to 0.
    """
    level = min(round(rate * 256), 255)
    if level == 0:
        return x
    # One byte per entry, eight from each 64-bit draw: several times faster on a CPU than one float per entry.
    words = torch.empty(-(-x.numel() // 8), dtype=torch.int64, device=x.device)
    draws = words.random_(-(2**63), None, generator=generator).view(torch.uint8)
    keep = draws[: x.numel()].view(x.shape) >= level
    return x * keep * (256 / (256 - level))


def random_perturbation(x: Tensor, radius: Tensor | float, generator: torch.Generator) -> Tensor:
    """Move each sample by a given distance in a random direction (Bachman et al. 2014; RPT in Hu et al. 2017).

    Parameters
    ----------
    x : Tensor of shape (n, d)
        Samples.
    radius : Tensor of shape (n,) or float
        How far each one moves, at least 0.
    generator : torch.Generator
        Source of the randomness, on the device of ``x``.

    Returns
    -------
    Tensor of the same shape
        The moved samples; directions are uniform on the sphere.
    """
    return x + _column(radius, x) * _direction(x, generator)


def virtual_adversarial(
    x: Tensor,
    classify: Callable[[Tensor], Tensor],
    radius: Tensor | float,
    generator: torch.Generator,
    *,
    target: Tensor | None = None,
    probe: float = 1.0,
    iterations: int = 1,
) -> Tensor:
    r"""Move each sample by a given distance to where a network's answer changes most (Miyato et al. 2016).

    .. math:: r = \arg\max_{\lVert r \rVert \leq \epsilon} KL\big(p(x) \Vert p(x + r)\big)

    Near x the divergence is a quadratic form in r, so that r points along an eigenvector with the largest eigenvalue.
    It is found by power iteration from a random direction d, without the matrix: the product with d is the
    gradient of the divergence at a probe nearby,

    .. math:: g = \nabla_d KL\big(p(x) \Vert p(x + \xi d)\big), \qquad d \leftarrow \frac{g}{\lVert g \rVert}, \qquad
              r = \epsilon d

    Parameters
    ----------
    x : Tensor of shape (n, d)
        Samples.
    classify : callable
        From samples to logits, shape (n, K). Its weights get no gradient from this search.
    radius : Tensor of shape (n,) or float
        :math:`\epsilon`, how far each sample moves, at least 0.
    generator : torch.Generator
        Source of the first directions, on the device of ``x``.
    target : Tensor of shape (n, K), optional
        Logits of ``x``, if they are known; by default computed.
    probe : float, default=1.0
        Distance of the probe in radii, :math:`\xi / \epsilon`, positive. A small one comes closest to the eigenvector;
        a large one also sees a border of clusters that is further away.
    iterations : int, default=1
        Steps of the power iteration; each costs one pass through the network and back. 0 is `random_perturbation`.

    Returns
    -------
    Tensor of the same shape
        The moved samples; no gradient flows through them. Where the gradient vanishes, the direction stays random.

    Raises
    ------
    TypeError, ValueError
        If ``probe`` or ``iterations`` is out of its range.

    References
    ----------
    Miyato et al., "Distributional Smoothing with Virtual Adversarial Training", ICLR 2016.
    """
    check_number("probe", probe, open_at_minimum=True)
    check_integer("iterations", iterations, minimum=0)
    x, epsilon = x.detach(), _column(radius, x)
    with torch.no_grad():
        log_p = _log_softmax(classify(x) if target is None else target)
    d = _direction(x, generator)
    for _ in range(iterations):
        d.requires_grad_()
        with torch.enable_grad():
            divergence = F.kl_div(
                _log_softmax(classify(x + probe * epsilon * d)), log_p, reduction="sum", log_target=True
            )
            (g,) = torch.autograd.grad(divergence, d)
        # Divided by its largest entry first: the squares of tiny gradients would be 0.
        largest = g.abs().amax(1, keepdim=True)
        known = (largest > 0) & largest.isfinite()
        d = torch.where(known, F.normalize(g / largest, dim=1), d).detach()
    return x + epsilon * d


def _direction(x: Tensor, generator: torch.Generator) -> Tensor:
    """Unit vectors, uniform on the sphere."""
    return F.normalize(torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device), dim=1)


def _column(radius: Tensor | float, x: Tensor) -> Tensor:
    return torch.as_tensor(radius, dtype=x.dtype, device=x.device).expand(len(x)).unsqueeze(1)


def _log_softmax(logits: Tensor) -> Tensor:
    return (logits if logits.dtype == torch.float64 else logits.float()).log_softmax(1)
