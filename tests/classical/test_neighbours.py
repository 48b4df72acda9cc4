"""The memory of the neighbour graph; what it finds is tested with the loss that needs it."""

import pytest
import torch
from sizes import Sizes

from dctutor.classical import neighbour_graph


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_memory_is_one_copy_of_the_data_and_one_block(dtype):
    n, d, k, block_size = 300, 400, 200, 10
    x = torch.randn(n, d, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype)
    before = x.clone()
    with Sizes() as sizes:
        neighbour_graph(x, k, block_size=block_size)
    assert torch.equal(x, before)
    # All differences of a block would be block_size k d = 800,000 numbers, the data are 120,000.
    assert sum(size >= 8 * n * d for size in sizes.bytes) == 1 and max(sizes.bytes) == 8 * n * d
