"""The rows of the table, and the table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median

OURS = "cloudrepo-server"
PYPISERVER = "pypiserver"
HTTP_SERVER = "http.server"
PEERS = (OURS, PYPISERVER, HTTP_SERVER)


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: what was measured of each, and what is to be reached."""

    figure: str
    unit: str
    values: Mapping[str, float]
    reach: str = ""
    peers: tuple[str, ...] = field(default=PEERS, repr=False)

    @property
    def ratio(self) -> float | None:
        """This server's value as a multiple of pypiserver's."""
        if OURS in self.values and PYPISERVER in self.values:
            return self.values[OURS] / self.values[PYPISERVER]
        return None


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
        f"| figure | {' | '.join(PEERS)} | against pypiserver | reach |",
        f"|---|{'--:|' * len(PEERS)}--:|---|",
    ]
    for row in rows:
        values = [_value(row, peer) for peer in PEERS]
        ratio = "" if row.ratio is None else f"{row.ratio:.2f} x"
        lines.append(f"| {row.figure} | {' | '.join(values)} | {ratio} | {row.reach} |")
    return "\n".join(lines)


def _value(row: Row, peer: str) -> str:
    value = row.values.get(peer)
    if value is None:
        return ""
    return f"{value:,.{0 if abs(value) >= 100 else 1}f} {row.unit}"  # noqa: PLR2004 (three digits)
