"""Figures for people: a table on the terminal, the same as Markdown and JSON in the state folder."""

import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.benchmarks.measured import Comparison
from tests.benchmarks.place import PROJECT, Place, say

DOCUMENT = PROJECT / "docs" / "performance.md"
HEADINGS = ("endpoint", "system", "requests/s", "p50 ms", "p99 ms", "CPU ms", "ours : it", "by CPU", "targets")
Lines = list[tuple[str, ...]]


def comparison_lines(comparisons: Sequence[Comparison]) -> Lines:
    lines: Lines = []
    for comparison in comparisons:
        title = comparison.endpoint.title
        for name, each in comparison.systems.items():
            ratio = comparison.ratio(name) if name != "ours" else None
            by_cpu = comparison.cpu_ratio() if name == "peer" else None
            verdicts = comparison.verdicts() if name == "ours" else []
            broken = [f"{each.invalid} INVALID ROUNDS"] if each.invalid else []
            words = [f"{words} {'met' if met else 'MISSED'}" for words, met in verdicts]
            lines.append(
                (
                    title,
                    name,
                    f"{each.per_second:,.0f}",
                    f"{each.p50_ms:.1f}",
                    f"{each.p99_ms:.1f}",
                    "" if each.cpu_ms is None else f"{each.cpu_ms:.2f}",
                    "" if ratio is None else f"{ratio:.2f}",
                    "" if by_cpu is None else f"{by_cpu:.2f}",
                    ", ".join(broken + words),
                )
            )
            title = ""
    return lines


def publish(place: Place, name: str, headings: Sequence[str], lines: Lines, data: Any, *, into_docs: bool) -> None:
    """Prints the table and keeps it; `into_docs` also puts it between the document's marks of that name."""
    table = Table(*headings, title=name)
    for line in lines:
        table.add_row(*line)
    Console(width=max(120, Console().width)).print(table)
    folder = place.folder / "results"
    folder.mkdir(exist_ok=True)
    markdown = as_markdown(headings, lines)
    (folder / f"{name}.md").write_text(markdown)
    (folder / f"{name}.json").write_text(json.dumps({"machine": machine(), "figures": data}, indent=1))
    say(f"Kept in {folder}/{name}.md and .json")
    if into_docs:
        DOCUMENT.write_text(between_marks(DOCUMENT.read_text(), name, markdown))


def as_markdown(headings: Sequence[str], lines: Lines) -> str:
    rows = [tuple(headings), tuple("---" for _ in headings), *lines]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def between_marks(document: str, name: str, table: str) -> str:
    """The document with what stands between `<!-- name -->` and `<!-- /name -->` replaced; raises without the marks."""
    head, begin, rest = document.partition(f"<!-- {name} -->\n")
    _, end, tail = rest.partition(f"<!-- /{name} -->")
    if not begin or not end:
        raise SystemExit(f"bench: {DOCUMENT.name} has no place for {name}.")
    return f"{head}{begin}\n{table}\n{end}{tail}"


def machine() -> dict[str, str]:
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "processor": models[0].partition(": ")[2] if models else platform.processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_before": f"{os.getloadavg()[0]:.1f}",
    }
