"""Where the page of an artifact lies: file names that every file system and every web server takes as they are."""

from __future__ import annotations

import hashlib
import re
from urllib.parse import urlsplit

# Lower case only: where case does not count, A.html and a.html are one file. A ~ stands in none of these.
_PLAIN = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,98}[a-z0-9])?")
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?")
_OTHER = re.compile(r"[^a-z0-9]+")

# How a repository's pages are called at a commit, by the customs of the host.
_TREES = {
    "github.com": "{repo}/tree/{commit}",
    "www.github.com": "{repo}/tree/{commit}",
    "huggingface.co": "{repo}/tree/{commit}",
    "gitlab.com": "{repo}/-/tree/{commit}",
    "bitbucket.org": "{repo}/src/{commit}",
    "codeberg.org": "{repo}/src/commit/{commit}",
}


def page_name(artifact_id: str) -> str:
    """Gives the file name of an artifact's page, without a folder.

    An id that is a plain lower-case name is its own; of any other the readable part and a digest: it may be anything,
    such as ``../..``, ``con`` or 2,000 characters.
    """
    if _PLAIN.fullmatch(artifact_id) and not _RESERVED.fullmatch(artifact_id):
        return f"{artifact_id}.html"
    readable = _OTHER.sub("-", artifact_id.lower()).strip("-")[:40].strip("-")
    digest = hashlib.sha256(artifact_id.encode()).hexdigest()[:24]
    return f"{readable or 'id'}~{digest}.html"


def web_link(url: str | None) -> str | None:
    """Gives a URL back when a browser may be sent there: http or https with a host, and no credentials in it."""
    if not url or len(url) > 2048 or not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
        is_web = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return None
    return url if is_web else None


def code_link(repo_url: str | None, commit: str | None) -> str | None:
    """Gives the address of a repository at a commit where the host's custom is known, else of the repository."""
    link = web_link(repo_url)
    if link is None or not commit:
        return link
    tree = _TREES.get(urlsplit(link).hostname or "")
    return tree.format(repo=link.rstrip("/").removesuffix(".git"), commit=commit) if tree else link
