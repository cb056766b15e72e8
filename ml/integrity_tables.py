"""The figures of `evaluate_integrity` as the tables of the model card."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any


def _row(cells: Iterable[object]) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def markdown_table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A table of Markdown, without a line break at its end."""
    head = list(head)
    lines = [_row(head), _row(["---"] * len(head)), *(_row(row) for row in rows)]
    return "\n".join(lines)


def _number(value: float) -> str:
    return "not measured" if math.isnan(value) else f"{value:.2f}"


def _share(counts: Mapping[str, Any], what: str) -> str:
    return f"{counts[what]} of {counts['photos']}"


def _interval(counts: Mapping[str, Any]) -> str:
    low, high = (100 * end for end in counts["interval"])
    return f"{low:.1f} to {high:.1f} %"


def _bars(figures: Mapping[str, Any]) -> str:
    crops, whole = figures["crops"], figures["whole"]
    low, high = crops["image_auc_interval"]
    alarms = [
        [
            f"false alarms, whole photos, {way}",
            "1 % or less",
            f"{_share(row['authentic'], 'flagged')} ({_interval(row['authentic'])})",
        ]
        for way, row in whole.items()
    ]
    rows = [
        ["pixel AUC, synthetic, cameras unseen", "0.97", _number(crops["pixel_auc"])],
        ["F1 at the shipped threshold, the same", "0.75", _number(crops["f1"])],
        [
            "image AUC, the same",
            "0.96",
            f"{_number(crops['image_auc'])} ({low:.2f} to {high:.2f})",
        ],
        *alarms,
    ]
    return markdown_table(["what", "bar", "measured"], rows)


def tables(figures: Mapping[str, Any]) -> str:
    """Markdown: the bars, whole photos, kinds of edits, ways, robustness."""
    whole = markdown_table(
        [
            "way",
            "authentic flagged",
            "can't tell",
            "edited flagged",
            "can't tell",
            "image AUC",
            "F1",
        ],
        [
            [
                way,
                f"{_share(row['authentic'], 'flagged')} ({_interval(row['authentic'])})",
                row["authentic"]["unsure"],
                f"{_share(row['edited'], 'flagged')} ({_interval(row['edited'])})",
                row["edited"]["unsure"],
                _number(row["image_auc"]),
                _number(row["f1"]),
            ]
            for way, row in figures["whole"].items()
        ],
    )
    columns = ["pixel_auc", "f1", "image_auc"]
    head = ["pixel AUC", "F1", "image AUC"]

    def part(rows: Mapping[str, Any], first: str) -> str:
        return markdown_table(
            [first, *head],
            [[name, *(_number(row[column]) for column in columns)] for name, row in rows.items()],
        )

    return "\n\n".join(
        [
            _bars(figures),
            whole,
            part(figures["crops"]["by_kind"], "edit"),
            part(figures["crops"]["by_way"], "way"),
            part(figures["robustness"], "processing"),
            "",
        ]
    )
