"""Searches all repositories, and marks what matched in the results.

A result contains every word of the search text. Case does not matter, and neither does which of the
separators `-`, `_` and `.` a name has.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from operator import itemgetter

import msgspec
from markupsafe import Markup, escape

from cloudrepo_server.domain.catalogue import ProjectSummary, fold, fold_project
from cloudrepo_server.limits import MAX_FOUND, MAX_SEARCH_TERMS, MAX_SEARCH_TEXT

KINDS: Mapping[str, str] = {
    "repositories": "Repositories",
    "projects": "Projects",
    "files": "Files",
    "users": "Users",
}
"""The kinds of results in the query string, and their titles, in the order of the page."""


class FoundProject(msgspec.Struct, frozen=True):
    """A project that matches."""

    repository: str
    summary: ProjectSummary


class FoundFile(msgspec.Struct, frozen=True):
    """A file that matches."""

    repository: str
    project: str
    filename: str
    size: int
    """The size in bytes."""
    uploaded: float
    """When it was uploaded, in seconds since the epoch."""


class SearchResults(msgspec.Struct, frozen=True):
    """The results of a search: the best ones first, and a bounded number of each kind."""

    repositories: Sequence[str] = ()
    projects: Sequence[FoundProject] = ()
    files: Sequence[FoundFile] = ()
    users: Sequence[str] = ()

    def of_kind(self, kind: str) -> Sequence[object]:
        """Return the results of one of `KINDS`."""
        return tuple(getattr(self, kind))

    def has_more(self, kind: str) -> bool:
        """Return whether there may be further results of a kind."""
        return len(self.of_kind(kind)) == MAX_FOUND


class SearchText(msgspec.Struct, frozen=True):
    """The words of a search."""

    terms: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> "SearchText":
        """Return the words of a text that are searched for: the first ones of a long text."""
        words = text[:MAX_SEARCH_TEXT].split()[:MAX_SEARCH_TERMS]
        return cls(tuple(dict.fromkeys(fold(word) for word in words)))

    def matches(self, folded: str) -> bool:
        """Return whether a text, as `fold` returns it, contains every word."""
        return all(term in folded for term in self.terms)

    def for_projects(self) -> "SearchText":
        """Return the words as the normalized names of projects contain them."""
        return SearchText(tuple(fold_project(term) for term in self.terms))

    def rank(self, folded: str) -> int:
        """Return 0 if a name equals the searched text, 1 if it begins with that text, else 2."""
        whole = "-".join(self.terms)
        if folded == whole:
            return 0
        return 1 if folded.startswith(whole) else 2


def search_all(
    text: SearchText,
    repositories: Mapping[str, Iterable[ProjectSummary]],
    users: Iterable[str],
) -> SearchResults:
    """Return what matches, in every repository.

    Args:
        text: what to search for.
        repositories: the projects of each repository, by its name.
        users: the names of the users.
    """
    if not text.terms:
        return SearchResults()
    return SearchResults(
        repositories=_names(text, repositories),
        projects=_projects(text.for_projects(), repositories),
        files=[*islice(_files(text, repositories), MAX_FOUND)],
        users=_names(text, users),
    )


def _names(text: SearchText, names: Iterable[str]) -> list[str]:
    found = [(text.rank(folded), name) for name in names if text.matches(folded := fold(name))]
    return [name for _, name in sorted(found)][:MAX_FOUND]


def _projects(
    text: SearchText, repositories: Mapping[str, Iterable[ProjectSummary]]
) -> list[FoundProject]:
    found: list[tuple[int, str, str, ProjectSummary]] = []
    for repository, projects in repositories.items():
        matching = projects
        for term in text.terms:
            matching = [each for each in matching if term in each.name]
        found += [(text.rank(each.name), each.name, repository, each) for each in matching]
    found.sort(key=itemgetter(0, 1, 2))
    return [FoundProject(repository, each) for _, _, repository, each in found[:MAX_FOUND]]


def _files(
    text: SearchText, repositories: Mapping[str, Iterable[ProjectSummary]]
) -> Iterable[FoundFile]:
    for repository, projects in repositories.items():
        # First all names of a project at once, because most projects have no file that matches.
        matching = projects
        for term in text.terms:
            matching = [each for each in matching if term in each.folded]
        for project in matching:
            for at, folded in enumerate(project.folded.split("\n")):
                if text.matches(folded):
                    yield FoundFile(
                        repository,
                        project.name,
                        project.filenames[at],
                        project.sizes[at],
                        project.upload_times[at],
                    )


def highlighter(text: SearchText) -> Callable[[str], Markup]:
    """Return a function that marks the words of a search in a text, as HTML."""

    def highlight(shown: str) -> Markup:
        folded = fold(shown)
        marked = bytearray(len(shown))
        for term in text.terms:
            at = folded.find(term)
            while term and at >= 0:
                marked[at : at + len(term)] = b"\x01" * len(term)
                at = folded.find(term, at + len(term))
        html, at = Markup(), 0
        while at < len(shown):
            end = marked.find(not marked[at], at)
            end = len(shown) if end < 0 else end
            part = escape(shown[at:end])
            html += Markup("<mark>{}</mark>").format(part) if marked[at] else part
            at = end
        return html

    return highlight
