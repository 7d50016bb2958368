"""One line of a table as plain text."""

from __future__ import annotations

from collections.abc import Sequence

from tcptop_rtt.view.table import Column


def padded(columns: Sequence[Column], cells: Sequence[str], gap: str = " ") -> str:
    """Return a line of cells, padded to the columns' widths, numbers to the right, with a newline.

    :param cells: one for each column
    """
    texts = (
        cell.rjust(column.width) if column.numeric else cell.ljust(column.width)
        for cell, column in zip(cells, columns, strict=True)
    )
    return gap.join(texts).rstrip() + "\n"
