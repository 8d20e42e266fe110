"""The result of a run as a Markdown table."""

from __future__ import annotations

import statistics
from typing import Any

# Published peaks of dense bfloat16 products, operations a second, by what a card's name
# holds; the first that is found counts. NVIDIA's data sheets of H200, H100 and A100.
_PEAKS = (
    ("H200", 989e12),
    ("H100 PCIe", 756e12),
    ("H100 NVL", 835e12),
    ("H100", 989e12),
    ("A100", 312e12),
)
_HEAD = (
    "step",
    "views",
    "by",
    "images/s",
    "slowest to fastest turn",
    "ms a step",
    "peak memory, GiB",
    "of the published peak",
    "of a measured product",
)


def table(result: dict[str, Any]) -> str:
    """Markdown: what ran where, a row for each contender, the check, what failed."""
    workers = result["workers"]
    lines = [
        f"# The training step on {result['card']}",
        "",
        result["what"],
        "",
        *(f"- {who}: {w['version']} on {w['device']}" for who, w in workers.items()),
    ]
    product = _product(result)
    if product:
        lines.append(
            f"- a product of bfloat16 matrices of 8192 x 8192 by JAX: "
            f"{product / 1e12:.0f} TFLOP/s"
        )
    lines += ["", _line(_HEAD), _line(["---"] * len(_HEAD))]
    lines += [_line(_cells(row, result)) for row in result["rows"] if row["turns"]]
    lines += ["", *_checks(result["rows"]), *_failures(result["rows"])]
    return "\n".join(lines).rstrip() + "\n"


def images_per_second(row: dict[str, Any]) -> list[float]:
    """Rates of a row's turns, slowest first."""
    return sorted(row["images_per_step"] / turn["seconds"] for turn in row["turns"])


def published_peak(device: str) -> float | None:
    """Operations a second of a card's name; None where it is not known."""
    return next((peak for name, peak in _PEAKS if name in device), None)


def _product(result: dict[str, Any]) -> float | None:
    return result["workers"].get("JAX", {}).get("product_flops")


def _cells(row: dict[str, Any], result: dict[str, Any]) -> list[str]:
    rates = images_per_second(row)
    seconds = statistics.median(turn["seconds"] for turn in row["turns"])
    peaks = [turn["peak_bytes"] for turn in row["turns"] if turn["peak_bytes"]]
    by = row["by"]
    if "encoder" in row:
        by += f", {row['encoder']}, {'compiled' if row['compiled'] else 'eager'}"
    flops = row["flops_per_step"] / seconds
    return [
        row["case"],
        row["form"],
        by,
        f"{row['images_per_step'] / seconds:,.1f}",
        f"{rates[0]:,.1f} to {rates[-1]:,.1f}",
        f"{1e3 * seconds:.1f}",
        f"{max(peaks) / 2**30:.1f}" if peaks else "not known",
        _share(flops, published_peak(result["card"])),
        _share(flops, _product(result)),
    ]


def _share(flops: float, peak: float | None) -> str:
    return f"{flops / peak:.0%}" if peak else "not known"


def _checks(rows: list[dict[str, Any]]) -> list[str]:
    lines = []
    for row in rows:
        check = row.get("check", {})
        if "failed" in check:
            lines.append(f"{row['case']}: the check failed: {check['failed']}")
        elif check:
            lines.append(
                f"{row['case']}: after {check['steps']} steps of the same values and "
                f"inputs, outputs are within {check['outputs_apart']:.1e} of "
                f"TensorFlow's own and variables within "
                f"{check['variables_apart']:.1e}, relative to the largest of each."
            )
    return [*lines, ""] if lines else []


def _failures(rows: list[dict[str, Any]]) -> list[str]:
    failed = [
        f"- {row['case']}, {row['form']}, {row['by']}: {row['failed']}"
        for row in rows
        if "failed" in row
    ]
    return ["Not measured, or not to the end:", "", *failed] if failed else []


def _line(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"
