from __future__ import annotations

import io

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed (the extra `ml`)")

import torch
from kinlight.ml.integrity_net import HALO, IntegrityNet, standard_table
from kinlight.ml.photos import tables_of
from PIL import Image

from .photographs import jpeg_of, scene


def as_tensor(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> torch.Tensor:
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float()


@pytest.fixture(scope="module")
def net() -> IntegrityNet:
    torch.manual_seed(5)
    return IntegrityNet().eval()


def test_the_network_reads_the_coefficients_that_the_file_holds(net: IntegrityNet) -> None:
    """In units of its own table nearly all coefficients of a JPEG are whole numbers."""
    with Image.open(io.BytesIO(jpeg_of(scene(2, 128, 128), 75))) as image:
        pixels, table = np.asarray(image), torch.from_numpy(tables_of(image)[0].astype(np.float32))
    blocks = net.stem.blocks

    def off_the_grid(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> float:
        low = blocks.units(as_tensor(pixels), table[None])[..., blocks.low]
        return float((low - low.round()).abs().mean())

    assert off_the_grid(pixels) < 0.06
    assert off_the_grid(np.ascontiguousarray(pixels[3:123, 3:123])) > 0.15


def test_a_row_of_weights_for_each_size_is_added(net: IntegrityNet) -> None:
    """As a convolution over ones and zeros, for which its weights are kept, would have it."""
    blocks = net.stem.blocks
    table = standard_table()[None]
    units = blocks.units(as_tensor(scene(8, 128, 96)), table)
    low = units[..., blocks.low]
    sizes = low.round().abs().clamp(max=10).long()
    ones = torch.stack([(sizes == size).float() for size in range(11)], dim=4).flatten(3)
    seen = torch.cat([ones, (low - low.round()).abs(), units.abs().log1p()], dim=3)
    expected = blocks.coefficients(seen.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    assert float((blocks.first(units) - expected).abs().amax().detach()) < 1e-4


def test_the_table_of_those_without_one_is_that_of_quality_ninety() -> None:
    with Image.open(io.BytesIO(jpeg_of(scene(2, 64, 64), 90))) as image:
        assert np.array_equal(tables_of(image)[0], standard_table().numpy())


def test_the_stem_sees_no_further_than_its_halo(net: IntegrityNet) -> None:
    pixels = as_tensor(scene(3, 256, 256))
    other = pixels.clone()
    other[:, :, :, 128 + HALO :] = 0
    known = torch.ones(1)
    with torch.inference_mode():
        first = net.stem(pixels, standard_table()[None], known)
        second = net.stem(other, standard_table()[None], known)
    assert torch.equal(first[:, :, :, :16], second[:, :, :, :16])
    assert not torch.equal(first, second)


@pytest.mark.parametrize(("height", "width"), [(128, 128), (136, 264)])
def test_the_map_has_a_cell_for_four_by_four_pixels(
    height: int, width: int, net: IntegrityNet
) -> None:
    with torch.inference_mode():
        cells, image = net(
            as_tensor(scene(4, height, width)), standard_table()[None], torch.zeros(1)
        )
    assert cells.shape == (1, 1, height // 4, width // 4)
    assert image.shape == (1,)


def test_the_network_fits_the_ten_megabytes_of_a_release(net: IntegrityNet) -> None:
    assert sum(value.numel() for value in net.state_dict().values()) * 4 < 10_000_000
