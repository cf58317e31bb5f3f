"""What says where a model's code is: repositories, commits, links to a file at a commit.

A branch or a tag names another commit tomorrow, an abbreviated hash perhaps two; none of them becomes a commit.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from atlas_models.backfill.readings import MAX_URL_LENGTH, PLACEHOLDERS, Reading, doubtful, masked, sure

_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.IGNORECASE)
# What is_repository_url() accepts in the database; a test compares the two.
_REPOSITORY = re.compile(
    r"(?:(?:https?|git)://|ssh://(?:[^\s/@:]+@)?)[^\s/@:]+(?::[0-9]+)?/\S+|[^\s/@:]+@[^\s/@:]+:\S+"
)
_WEB = re.compile(r"(https?://[^\s/@]+)/(\S+)", re.IGNORECASE)
_AT_SHA = re.compile(r"(\S+)@([0-9a-f]{40}|[0-9a-f]{64})", re.IGNORECASE)
_RAW_HOST = "https://raw.githubusercontent.com"
# Where a repository is an owner and a name, and whatever follows is a page about it.
_TWO_PART_HOSTS = ("https://github.com", "https://www.github.com", "https://bitbucket.org")
# The words between a repository and what of it is shown, by the customs of GitHub and GitLab, Gitea and Bitbucket.
_MARKS = frozenset(("blob", "tree", "raw", "commit", "commits", "blame", "src"))


class Code(NamedTuple):
    """Where code is: repository, whole commit, path in it; ref is what is said instead of a commit (a tag, a link)."""

    repo_url: str | None = None
    commit_sha: str | None = None
    entrypoint: str | None = None
    ref: str | None = None


def is_commit_sha(text: str) -> bool:
    """Whether a text is a whole commit hash as the registry keeps it: 40 or 64 lower-case hexadecimal digits."""
    return text == text.lower() and _SHA.fullmatch(text) is not None


def is_repository_url(text: str) -> bool:
    """Whether a text may be the URL of a repository, as the registry keeps it: without credentials."""
    return len(text) <= MAX_URL_LENGTH and _REPOSITORY.fullmatch(text) is not None and masked(text) == text


def read_commit(value: Any, _argument: Mapping[str, Any]) -> Reading | None:
    """Read a whole commit hash; any other text is a ref."""
    if type(value) is not str:
        return None
    text = value.strip()
    if text.lower() in PLACEHOLDERS:
        return doubtful("is a placeholder, not a fact")
    return sure(Code(commit_sha=text.lower()) if _SHA.fullmatch(text) else Code(ref=text))


def read_code_link(value: Any, _argument: Mapping[str, Any]) -> Reading | None:
    """Read a repository's URL, or a link to a commit, a file or a folder in it."""
    if type(value) is not str:
        return None
    text = value.strip().removeprefix("git+")
    if masked(text) != text:
        return doubtful("is a URL with credentials, which are not taken over")
    link, _, _ = text.partition("#")
    pinned = _AT_SHA.fullmatch(link) if "@" in link else None
    code = Code(pinned[1], pinned[2].lower()) if pinned else _read_web_link(link) or Code(link)
    if code.repo_url is None or "?" in code.repo_url or not is_repository_url(code.repo_url):
        return doubtful("is no URL of a repository")
    if code.ref is not None or (code.commit_sha is None and link != text):
        return sure(code._replace(ref=text))
    return sure(code)


def _read_web_link(link: str) -> Code | None:
    found = _WEB.fullmatch(link.partition("?")[0])
    if found is None:
        return None
    host, path = found.groups()
    parts = path.rstrip("/").split("/")
    if host.lower() == _RAW_HOST and len(parts) > 3:
        return _pinned(f"https://github.com/{parts[0]}/{parts[1]}", parts[2:])
    if "-" in parts[2:]:
        at = parts.index("-", 2)
        mark = at + 1
    else:
        at = mark = 2
    if len(parts) <= mark + 1 or parts[mark] not in _MARKS:
        if host.lower() in _TWO_PART_HOSTS and len(parts) != 2:
            return Code(f"{host}/{parts[0]}/{parts[1]}", ref=link) if len(parts) > 2 else Code()
        return None
    rest = parts[mark + 1 :]
    # Gitea: …/src/commit/<hash>/path.
    return _pinned(f"{host}/{'/'.join(parts[:at])}", rest[1:] if rest[0] == "commit" and len(rest) > 1 else rest)


def _pinned(repo_url: str, rest: list[str]) -> Code:
    if _SHA.fullmatch(rest[0]):
        return Code(repo_url, rest[0].lower(), "/".join(rest[1:]) or None)
    return Code(repo_url, ref=rest[0])


def same_repository(one: str, other: str) -> bool:
    """Whether two URLs are spellings of one: with or without .git, with or without a slash at the end."""
    return _bare(one) == _bare(other)


def _bare(url: str) -> str:
    scheme, separator, rest = url.rstrip("/").removesuffix(".git").partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme.lower()}{separator}{host.lower()}{slash}{path}"
