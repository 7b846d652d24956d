"""The rows of the table, and the table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

OURS = "cloudrepo-server"
PYPISERVER = "pypiserver"
DEVPI = "devpi-server"
HTTP_SERVER = "http.server"
NGINX = "nginx"
BY_HAND = "by hand"
PEERS = (OURS, PYPISERVER, DEVPI, HTTP_SERVER, NGINX, BY_HAND)


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: what was measured of each, against whom, and what is to be reached."""

    figure: str
    unit: str
    values: Mapping[str, float]
    reach: str = ""
    against: str = PYPISERVER

    @property
    def ratio(self) -> str:
        """This server's value as a multiple of another's."""
        if OURS not in self.values or self.against not in self.values:
            return ""
        return f"{self.values[OURS] / self.values[self.against]:.2f} x {self.against}"


def interleaved(
    measures: Mapping[str, Callable[[], float]], rounds: int, *, warm_up: int = 1
) -> dict[str, float]:
    """The median of each measure, all taken in turn, so that a noisy moment strikes all alike."""
    taken: dict[str, list[float]] = {name: [] for name in measures}
    for number in range(warm_up + rounds):
        for name, measure in measures.items():
            value = measure()
            if number >= warm_up:
                taken[name].append(value)
    return {name: median(values) for name, values in taken.items()}


def markdown(rows: list[Row]) -> str:
    """The rows as a table."""
    lines = [
        f"| figure | {' | '.join(PEERS)} | ratio | reach |",
        f"|---|{'--:|' * len(PEERS)}--:|---|",
    ]
    for row in rows:
        values = " | ".join(_value(row, peer) for peer in PEERS)
        lines.append(f"| {row.figure} | {values} | {row.ratio} | {row.reach} |")
    return "\n".join(lines)


def _value(row: Row, peer: str) -> str:
    value = row.values.get(peer)
    if value is None:
        return ""
    return f"{value:,.{0 if abs(value) >= 100 else 1}f} {row.unit}"  # noqa: PLR2004 (three digits)
