"""What was measured, as plain values: the table and the JSON are made of these and of nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median


@dataclass(frozen=True, slots=True)
class Round:
    """One server in one round."""

    each: float
    """In the unit of the row: CPU for one exchange, or memory."""
    rate: float
    """Exchanges in a second; 0 where there are none."""
    load: float
    """The part of its core that the load generator was busy: near to 1, and it is what was measured."""
    server: float
    """The same of the server: near to 1, and `rate` is what it can do."""


@dataclass(slots=True)
class Result:
    """One cell of the table: one server at one kind of work, over all rounds."""

    work: str
    title: str
    unit: str
    subject: str
    loop: str
    rounds: list[Round] = field(default_factory=list[Round])

    @property
    def each(self) -> float:
        """The median over the rounds."""
        return median(one.each for one in self.rounds)

    @property
    def spread(self) -> float:
        """How far the rounds lie from each other, as a part of the median."""
        found = [one.each for one in self.rounds]
        return (max(found) - min(found)) / self.each

    def beside(self, limit: Result | None) -> float | None:
        """Return the median of the ratios to the limit in the same rounds; None if it was not measured."""
        if limit is None:
            return None
        pairs = zip(self.rounds, limit.rounds, strict=False)
        return median(ours.each / theirs.each for ours, theirs in pairs)


@dataclass(frozen=True, slots=True)
class Timing:
    """One figure in memory, without a socket."""

    group: str
    work: str
    subject: str
    rounds: tuple[float, ...]
    """Seconds of CPU for each, of every round."""

    @property
    def each(self) -> float:
        """The median, in microseconds."""
        return median(self.rounds) * 1e6


@dataclass(slots=True)
class Report:
    """A whole run."""

    machine: dict[str, str | int]
    versions: dict[str, str]
    settings: dict[str, float]
    loopback: list[Result] = field(default_factory=list[Result])
    in_memory: list[Timing] = field(default_factory=list[Timing])
    left_out: list[str] = field(default_factory=list[str])

    def limit_of(self, result: Result) -> Result | None:
        """Return what the limit on the same loop did at the same work."""
        wanted = (result.work, f"raw-{result.loop}")
        return next((each for each in self.loopback if (each.work, each.subject) == wanted), None)

    def to_json(self) -> dict[str, object]:
        """Return what `json.dumps` takes; a later run may be compared with it."""
        return {
            "machine": self.machine,
            "versions": self.versions,
            "settings": self.settings,
            "loopback": [
                {
                    **asdict(each),
                    "median": each.each,
                    "spread": each.spread,
                    "ratio": each.beside(self.limit_of(each)),
                }
                for each in self.loopback
            ],
            "in_memory": [{**asdict(each), "median_us": each.each} for each in self.in_memory],
            "left_out": self.left_out,
        }


def by_work(results: Sequence[Result]) -> dict[str, list[Result]]:
    """Return the results of each kind of work, in the order in which they were measured."""
    found: dict[str, list[Result]] = {}
    for each in results:
        found.setdefault(each.work, []).append(each)
    return found
