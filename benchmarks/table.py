"""The table of figures, and how its values are measured."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

OURS = "cloudrepo-server"
PYPISERVER = "pypiserver"
DEVPI = "devpi-server"
HTTP_SERVER = "http.server"
NGINX = "nginx"
BY_HAND = "by hand"
SERVERS = (OURS, PYPISERVER, DEVPI, HTTP_SERVER, NGINX, BY_HAND)


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: the value of each server, the server to compare with, and the goal."""

    figure: str
    unit: str
    values: Mapping[str, float]
    goal: str = ""
    against: str = PYPISERVER

    @property
    def ratio(self) -> str:
        """Return the value of cloudrepo-server as a multiple of the compared server's value."""
        if OURS not in self.values or self.against not in self.values:
            return ""
        return f"{self.values[OURS] / self.values[self.against]:.2f} x {self.against}"


def interleaved(
    measures: Mapping[str, Callable[[], float]], rounds: int, *, warm_up: int = 1
) -> dict[str, float]:
    """Return the median of each measure.

    The measures alternate, so that a disturbance on the machine affects all of them alike.
    """
    values: dict[str, list[float]] = {name: [] for name in measures}
    for number in range(warm_up + rounds):
        for name, measure in measures.items():
            value = measure()
            if number >= warm_up:
                values[name].append(value)
    return {name: median(each) for name, each in values.items()}


def markdown_header() -> str:
    """Return the two header lines of the table in Markdown."""
    return (
        f"| figure | {' | '.join(SERVERS)} | ratio | goal |\n|---|{'--:|' * len(SERVERS)}--:|---|"
    )


def markdown_row(row: Row) -> str:
    """Return a row as a line of the table in Markdown."""
    values = " | ".join(_value(row, server) for server in SERVERS)
    return f"| {row.figure} | {values} | {row.ratio} | {row.goal} |"


def _value(row: Row, server: str) -> str:
    value = row.values.get(server)
    if value is None:
        return ""
    return f"{value:,.{0 if abs(value) >= 100 else 1}f} {row.unit}"  # noqa: PLR2004 (at least three digits)
