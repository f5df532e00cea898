"""The page of results: one table of verdicts for each group of cases, and every case that is not simply in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Final

from kosoku._kosoku import CaseResult

GROUPS: Final = {
    "1": "framing",
    "2": "pings and pongs",
    "3": "reserved bits",
    "4": "opcodes",
    "5": "fragmentation",
    "6": "UTF-8",
    "7": "closing handshake",
    "9": "big and many messages",
    "10": "automatic fragmentation",
    "12": "compression, one set of parameters",
    "13": "compression, many sets of parameters",
}

HEAD: Final = """# Conformance

The cases of the Autobahn test suite, as kosoku {version} runs them.
They run against a server on each backend, and against the core in the role of a client.
`python3 dev.py conformance` runs them all and writes this page, and with `--subject trio` one part of it.
With `--cases '5.*'` it runs some of them, with `--engine reference` it runs them on another engine, and only prints.

"OK" is a case that ended exactly as it should, in its messages and in its closing handshake.
"INFORMATIONAL" is a case for which the standard leaves the answer open.
A case that runs out of the suite's own time, which says nothing of the rules, is given a second run.
"""


def verdict(result: CaseResult) -> str:
    """Say in one word what became of a case: the worse of its two verdicts."""
    verdicts = (result.behavior.value, result.behavior_close.value)
    return next((each for each in verdicts if each not in ("OK", "INFORMATIONAL")), verdicts[0])


def group_of(result: CaseResult) -> str:
    """Return the group of a case, such as ``"12"``."""
    return result.case_id.partition(".")[0]


def summary(results: Iterable[CaseResult]) -> str:
    """Count the verdicts: ``"200 OK, 3 INFORMATIONAL"``."""
    counts = Counter(verdict(each) for each in results)
    return ", ".join(f"{count} {name}" for name, count in counts.most_common())


def page(results: Mapping[str, Sequence[CaseResult]], version: str, before: str = "") -> str:
    """Return the page for the results of each subject; of the others it keeps what the page said `before`."""
    parts = before.split("\n## ")[1:]
    sections = {part.partition("\n")[0]: f"## {part.rstrip()}\n" for part in parts}
    sections |= {subject: section(subject, cases) for subject, cases in results.items()}
    return "\n".join((HEAD.format(version=version), *sections.values()))


def section(subject: str, cases: Sequence[CaseResult]) -> str:
    """Return what the page says of one subject."""
    lines = [f"## {subject}", "", "| cases | about | results |", "|---|---|---|"]
    for group, members in groupby(cases, key=group_of):
        lines.append(f"| {group} | {GROUPS[group]} | {summary(members)} |")
    lines += [f"| all | | {summary(cases)} |", ""]
    lines += [
        f"- {each.case_id}, {verdict(each)}: {each.description.strip()}"
        for each in cases
        if verdict(each) != "OK"
    ]
    return "\n".join(lines).rstrip() + "\n"
