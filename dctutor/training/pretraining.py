"""Greedy layer-wise denoising pre-training, then the whole stack (Vincent et al. 2010; Xie et al. 2016, 3.2)."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from dctutor.architectures.autoencoder import Autoencoder
from dctutor.architectures.convolutional_autoencoder import ConvolutionalAutoencoder
from dctutor.architectures.fully_convolutional import FullyConvolutionalAutoencoder
from dctutor.augmentation import mask
from dctutor.losses import reconstruction
from dctutor.schedules import one_cycle
from dctutor.training.loop import Loop

__all__ = ["pretrain", "scale_code"]

Rebuild = Callable[[Tensor], Tensor]


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
) -> None:
    """Train ``autoencoder`` on the loop's data, in place.

    Each pair of layers (one of the encoder, its mirror in the decoder) first learns to rebuild the
    output of the pair below from a corrupted copy, through a corrupted hidden layer; then all layers
    learn together to rebuild the input from a corrupted copy.

    Parameters
    ----------
    loop : Loop
        Holds the data; the autoencoder must be registered with it.
    autoencoder : Autoencoder, ConvolutionalAutoencoder or FullyConvolutionalAutoencoder
        The network.
    layerwise_epochs, epochs : int
        Passes over the data for each pair of layers, and for the whole; 0 leaves the stage out. Only the
        dense autoencoder has pairs to train.
    noise : float
        Share of entries set to zero, in [0, 1).
    learning_rate : float
        The peak of a one-cycle schedule, for AdamW.
    batch_size : int
        Samples a step.
    weight_decay : float
        Share of each weight that a step takes off, per unit of learning rate (Loshchilov & Hutter 2019).

    Raises
    ------
    ValueError
        If layer-wise epochs are asked of a convolutional autoencoder.
    """
    if layerwise_epochs and not isinstance(autoencoder, Autoencoder):
        raise ValueError(
            f"layerwise_epochs: expected 0 for a {type(autoencoder).__name__}, which trains as a whole,"
            f" got {layerwise_epochs}"
        )

    def corrupt(x: Tensor) -> Tensor:
        return mask(x, noise, loop.device_generator)

    def train(phase: str, rebuild: Rebuild, parameters: Iterable[Tensor], inputs: Tensor, epochs: int) -> None:
        def step(index: Tensor) -> dict[str, Tensor]:
            x = inputs[index]
            loss = reconstruction(x, rebuild(corrupt(x)))
            loop.minimize(loss, optimizer)
            return {"loss": loss}

        optimizer = loop.adam(parameters, learning_rate, weight_decay=weight_decay)
        schedule = one_cycle()
        loop.run(
            phase, step, optimizers=[optimizer], epochs=epochs, batch_size=batch_size, learning_rate_schedule=schedule
        )

    if layerwise_epochs and isinstance(autoencoder, Autoencoder):
        inputs, depth = loop.x, len(autoencoder.encoder)
        for i, (below, above) in enumerate(zip(autoencoder.encoder, reversed(autoencoder.decoder), strict=True)):
            # Linear where the whole network is: the embedding, and the output that rebuilds the data.
            hidden = nn.Identity() if i == depth - 1 else nn.ReLU()
            output = nn.Identity() if i == 0 else nn.ReLU()

            def rebuild(
                x: Tensor,
                below: nn.Module = below,
                above: nn.Module = above,
                hidden: nn.Module = hidden,
                output: nn.Module = output,
            ) -> Tensor:
                return output(above(corrupt(hidden(below(x)))))

            train(f"layer {i + 1}", rebuild, [*below.parameters(), *above.parameters()], inputs, layerwise_epochs)
            if i < depth - 1:
                inputs = loop.map(nn.Sequential(below, hidden), inputs)
    loop.watch(autoencoder.encode)
    if epochs:
        train("pretrain", autoencoder, autoencoder.parameters(), loop.x, epochs)


@torch.no_grad()
def scale_code(
    loop: Loop, autoencoder: Autoencoder | FullyConvolutionalAutoencoder, size: Callable[[Tensor], Tensor]
) -> None:
    """Divide the code by its ``size``, in place. The decoder makes up for it, so that what it rebuilds stays."""
    z = loop.map(autoencoder.encode)
    by = size(z)
    if by > 1e-6 * z.abs().mean():  # where all codes agree, a smaller spread comes from rounding
        for parameter in autoencoder.encoder[-1].parameters():
            parameter.div_(by)
        autoencoder.decoder[0].get_parameter("weight").mul_(by)
