"""Each lesion on its largest slice, with the outline that each reader drew."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sarcfeat._validation import listed
from sarcfeat.exceptions import EmptyROI, InvalidInput
from sarcfeat.plots.canvas import COLOURS, TEXT, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["lesion_outlines"]

# Bright on grey images, and told apart by colour-blind readers.
_READERS = (COLOURS[4], COLOURS[5], COLOURS[3], COLOURS[2])
_STYLES = ("-", "--", ":", "-.")

Array = npt.NDArray[np.float64]
Masks = Mapping[str, npt.ArrayLike]


def _checked(title: str, image: npt.ArrayLike, masks: Masks) -> dict[str, np.ndarray]:
    """Return the masks as booleans; refuse what does not lie on the image."""
    shape = np.shape(image)
    found = {}
    for reader, mask in masks.items():
        array = np.asarray(mask) > 0
        if array.shape != shape or array.ndim != 3:
            raise InvalidInput(
                f"{title}: the mask of reader {reader} has the shape {array.shape} and "
                f"the image {shape}; both must be one 3-D grid (slice, row, column)."
            )
        found[str(reader)] = array
    if not any(mask.any() for mask in found.values()):
        raise EmptyROI(
            f"{title}: the masks of {listed(found) or 'no reader'} hold no voxel, so "
            "there is no outline to draw."
        )
    return found


def _crop(lesion: np.ndarray, margin: float | None) -> tuple[slice, slice]:
    """Return the rows and columns to show: a square around the lesion, or all."""
    rows, columns = (np.flatnonzero(lesion.any(axis=axis)) for axis in (1, 0))
    if margin is None:
        return slice(None), slice(None)
    longest = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
    half = math.ceil(longest * (0.5 + margin))
    middle = ((rows[0] + rows[-1]) // 2, (columns[0] + columns[-1]) // 2)
    low, high = (
        [max(0, m - half) for m in middle],
        [min(size, m + half + 1) for m, size in zip(middle, lesion.shape, strict=True)],
    )
    return slice(low[0], high[0]), slice(low[1], high[1])


def _largest_slice(masks: Mapping[str, np.ndarray]) -> int:
    """Return the slice on which the readers' lesion areas add up to the most."""
    return int(np.argmax(sum(mask.sum(axis=(1, 2)) for mask in masks.values())))


def _draw(
    ax: Axes,
    image: Array,
    masks: Mapping[str, np.ndarray],
    readers: Sequence[str],
    margin: float | None,
    aspect: float,
) -> int:
    """Draw one lesion; return the slice that is shown."""
    z = _largest_slice(masks)
    any_reader = np.any([mask[z] for mask in masks.values()], axis=0)
    window = _crop(any_reader, margin)
    shown = image[z][window]
    low, high = np.nanpercentile(shown, (1, 99))
    ax.imshow(shown, cmap="gray", vmin=low, vmax=high, aspect=aspect)
    for reader, mask in masks.items():
        if mask[z].any():
            k = readers.index(reader)
            # A border of zeros closes the outline of a lesion at the image's edge.
            outline = np.pad(mask[z][window].astype(float), 1)
            ax.contour(
                np.arange(-1, outline.shape[1] - 1),
                np.arange(-1, outline.shape[0] - 1),
                outline,
                levels=[0.5],
                colors=[_READERS[k % len(_READERS)]],
                linestyles=[_STYLES[k % len(_STYLES)]],
                linewidths=1.6,
            )
    height, width = shown.shape
    ax.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), xticks=[], yticks=[])
    return z


def lesion_outlines(
    volumes: Sequence[tuple[str, npt.ArrayLike, Masks]],
    *,
    ax: Sequence[Axes] | None = None,
    margin: float | None = 0.6,
    spacing: Sequence[tuple[float, float]] | None = None,
    columns: int = 4,
    legend: bool = True,
) -> list[Axes]:
    """Show a few lesions on their largest slice with the outline of each reader.

    Parameters
    ----------
    volumes : sequence of (title, image, masks)
        `image` is an array (slice, row, column); `masks` maps each reader to an array
        of the same shape, above 0 inside the lesion.
    ax : sequence of Axes, optional
        One for each lesion; a new figure where not given.
    margin : float or None
        How much to show around the lesion, in sizes of the lesion; None shows the
        whole slice.
    spacing : sequence of (row, column), optional
        Size of a pixel of each image in mm, so that anatomy keeps its shape.
    columns : int
        Lesions in a row of a new figure.
    legend : bool
        Name the readers under the figure.

    Returns
    -------
    list of Axes

    Raises
    ------
    InvalidInput
        No volume, too few axes, or a mask that is not on the image's grid.
    EmptyROI
        No reader outlined anything.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> image, mask = np.zeros((3, 8, 8)), np.zeros((3, 8, 8))
    >>> mask[1, 2:6, 2:6] = 1
    >>> axes = lesion_outlines([("p1", image, {"A": mask})])
    >>> axes[0].get_title().splitlines()
    ['p1', 'slice 2 of 3']
    >>> plt.close(axes[0].figure)
    """
    if not volumes or (ax is not None and len(ax) < len(volumes)):
        raise InvalidInput(
            f"lesion_outlines needs at least one volume and an axes for each; got "
            f"{len(volumes)} volumes and {'no' if ax is None else len(ax)} axes."
        )
    axes = _grid(len(volumes), columns) if ax is None else list(ax)
    checked = [_checked(*volume) for volume in volumes]
    readers = list(dict.fromkeys(reader for masks in checked for reader in masks))
    for k, (title, image, _) in enumerate(volumes):
        row, column = (1.0, 1.0) if spacing is None else spacing[k]
        array = np.asarray(image, dtype=float)
        z = _draw(axes[k], array, checked[k], readers, margin, row / column)
        axes[k].set_title(f"{title}\nslice {z + 1} of {len(array)}", fontsize=TEXT)
    if legend:
        _name_readers(axes[0], readers)
    return axes[: len(volumes)]


def _grid(n: int, columns: int) -> list[Axes]:
    """Return the axes of a new figure with up to so many lesions in a row."""
    columns = min(n, columns)
    rows = math.ceil(n / columns)
    size = (max(2.6 * columns, 3.0), 2.8 * rows + 0.4)
    # "compressed" is matplotlib's layout for grids of pictures of a fixed shape.
    grid = new_axes(size, layout="compressed", nrows=rows, ncols=columns, squeeze=False)
    axes: list[Axes] = grid.ravel().tolist()
    for spare in axes[n:]:
        spare.set_axis_off()
    return axes


def _name_readers(ax: Axes, readers: Sequence[str]) -> None:
    """Say under the figure whose outline is which."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D(
            [],
            [],
            color=_READERS[k % len(_READERS)],
            linestyle=_STYLES[k % len(_STYLES)],
            linewidth=2,
            label=f"Reader {reader}",
        )
        for k, reader in enumerate(readers)
    ]
    ax.figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=max(1, len(handles)),
        frameon=False,
        fontsize=TEXT,
        facecolor="white",
    )
