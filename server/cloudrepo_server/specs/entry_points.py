"""The entry points of a wheel: https://packaging.python.org/specifications/entry-points/."""

import configparser
from collections.abc import Mapping


class EntryPointsParser(configparser.ConfigParser):
    """A parser that keeps the case of names, and accepts only `=` between a name and its value."""

    def __init__(self) -> None:
        super().__init__(delimiters=("=",), interpolation=None)

    def optionxform(self, optionstr: str) -> str:
        """Return the name unchanged."""
        return optionstr


def read_entry_points(data: bytes) -> Mapping[str, Mapping[str, str]]:
    """Return the entry points of each group, by name, in the order of the file.

    Raises:
        ValueError: the file is not UTF-8, or has another format; the text says why.
    """
    parser = EntryPointsParser()
    try:
        parser.read_string(data.decode())
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    except configparser.Error as error:
        raise ValueError(str(error).partition("\n")[0]) from None
    return {group: dict(parser[group]) for group in parser.sections()}
