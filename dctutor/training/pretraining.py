"""Greedy layer-wise denoising pre-training, then the whole stack (Vincent et al. 2010; Xie et al. 2016, 3.2)."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from dctutor.architectures import Autoencoder, ConvolutionalAutoencoder, FullyConvolutionalAutoencoder
from dctutor.augmentation import mask
from dctutor.losses import reconstruction
from dctutor.schedules import one_cycle
from dctutor.training.loop import Loop

__all__ = ["divide_code", "pretrain", "scale_code"]

Reconstruct = Callable[[Tensor], Tensor]


def pretrain(
    loop: Loop,
    autoencoder: Autoencoder | ConvolutionalAutoencoder | FullyConvolutionalAutoencoder,
    *,
    layerwise_epochs: int,
    epochs: int,
    noise: float,
    learning_rate: float,
    batch_size: int,
    weight_decay: float = 0.0,
    augment: Callable[[Tensor], Tensor] | None = None,
    loss: Callable[[Tensor, Tensor], Tensor] = reconstruction,
) -> None:
    """Train ``autoencoder`` on the loop's data, in place.

    A pair of layers is one of the encoder and its mirror in the decoder. Each pair first learns to reconstruct the
    output of the pair below from a corrupted copy, through a corrupted hidden layer. Then all layers learn together to
    reconstruct the input from a corrupted copy.

    Parameters
    ----------
    loop : Loop
        Holds the data; the autoencoder must be registered with it.
    autoencoder : Autoencoder, ConvolutionalAutoencoder or FullyConvolutionalAutoencoder
        The network.
    layerwise_epochs, epochs : int
        Epochs for each pair of layers, and for the whole; 0 leaves the stage out. Only the dense autoencoder has pairs
        of layers: a convolutional one ignores ``layerwise_epochs``.
    noise : float
        Fraction of entries set to zero, in [0, 1).
    learning_rate : float
        The peak of a one-cycle schedule, for AdamW.
    batch_size : int
        Samples per step.
    weight_decay : float
        Decoupled weight decay (Loshchilov & Hutter 2019).
    augment : callable, optional
        Changes each batch of the data, anew in every epoch, before it is corrupted: the network learns to reconstruct
        the changed samples (Guo et al. 2020, eq. 13). Pairs of layers above the first learn from unchanged ones.
    loss : callable, optional
        From the data and their reconstructions to a mean over samples; by default the squared error. Hidden layers are
        reconstructed by the squared error in any case.
    """

    def corrupt(x: Tensor) -> Tensor:
        return mask(x, noise, loop.noise_generator)

    def train(phase: str, reconstruct: Reconstruct, parameters: Iterable[Tensor], inputs: Tensor, epochs: int) -> None:
        def step(index: Tensor) -> dict[str, Tensor]:
            x = inputs[index]
            if augment is not None and inputs is loop.x:
                x = augment(x)
            error = (loss if inputs is loop.x else reconstruction)(x, reconstruct(corrupt(x)))
            loop.minimize(error, optimizer)
            return {"loss": error}

        optimizer = loop.adam(parameters, learning_rate, weight_decay=weight_decay)
        schedule = one_cycle()
        loop.run(
            phase, step, optimizers=[optimizer], epochs=epochs, batch_size=batch_size, learning_rate_schedule=schedule
        )

    if layerwise_epochs and isinstance(autoencoder, Autoencoder):
        inputs, depth = loop.x, len(autoencoder.encoder)
        for i, (below, above) in enumerate(zip(autoencoder.encoder, reversed(autoencoder.decoder), strict=True)):
            # Linear if the whole network is linear there: the embedding, and the output that reconstructs the data.
            hidden = nn.Identity() if i == depth - 1 else nn.ReLU()
            output = nn.Identity() if i == 0 else nn.ReLU()

            def through_the_pair(
                x: Tensor,
                below: nn.Module = below,
                above: nn.Module = above,
                hidden: nn.Module = hidden,
                output: nn.Module = output,
            ) -> Tensor:
                return output(above(corrupt(hidden(below(x)))))

            train(
                f"layer_{i + 1}", through_the_pair, [*below.parameters(), *above.parameters()], inputs, layerwise_epochs
            )
            if i < depth - 1:
                inputs = loop.map(nn.Sequential(below, hidden), inputs)
    loop.watch(autoencoder.encode)
    if epochs:
        train("pretrain", autoencoder, autoencoder.parameters(), loop.x, epochs)


@torch.no_grad()
def scale_code(loop: Loop, autoencoder: Any, size: Callable[[Tensor], Tensor]) -> None:
    """Divide the code of an autoencoder by its size, in place; see `divide_code`. If all codes agree, nothing changes.

    Parameters
    ----------
    loop : Loop
        Holds the data.
    autoencoder : Autoencoder, ConvolutionalAutoencoder or FullyConvolutionalAutoencoder
        The network.
    size : callable
        From the codes of all samples, shape (n, p), to a positive number.
    """
    z = loop.map(autoencoder.encode)
    by = size(z)
    if by > 1e-6 * z.abs().mean():  # a smaller spread comes from rounding
        divide_code(autoencoder, by)


@torch.no_grad()
def divide_code(autoencoder: Any, by: Tensor) -> None:
    """Divide the code of an autoencoder, in place. The decoder makes up for it: reconstructions stay the same.

    Parameters
    ----------
    autoencoder : Autoencoder, ConvolutionalAutoencoder or FullyConvolutionalAutoencoder
        The network.
    by : Tensor of shape ()
        What the code is divided by; positive.
    """
    convolutional = isinstance(autoencoder, ConvolutionalAutoencoder)
    encoder, decoder = autoencoder.encoder, autoencoder.decoder
    last, first = (encoder.head, decoder.head) if convolutional else (encoder[-1], decoder[0])
    for parameter in last.parameters():
        parameter.div_(by)
    first.get_parameter("weight").mul_(by)
