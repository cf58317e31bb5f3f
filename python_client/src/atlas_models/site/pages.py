"""What stands on which page: the catalogue as HTML, and as data for the search."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from psycopg.rows import DictRow

from atlas_models.output import origin
from atlas_models.site import metric_plots
from atlas_models.site.addresses import code_link, page_name, web_link
from atlas_models.site.lineage_graph import Lineage
from atlas_models.site.reading import Catalogue, Gate, Version
from atlas_models.site.texts import card_html, moment, number, shortened, visible, written

ASSETS = ("site.css", "index.js", "icon.svg")
_STATES = ("promoted", "candidate", "superseded", "rejected")
_ROWS_OF_A_PAGE = 50  # index.js has the same
_NAMES_OF_A_LIST = 500
_VERSIONS_OF_A_NAME = 40
_LONGEST_VALUE = 500
_LONGEST_TITLE = 200
_NO_NAME = "(no name yet)"


class Fact(NamedTuple):
    """Something that is known about an artifact.

    Args:
        label: What.
        text: The value.
        href: Where it leads; None when nowhere.
        is_code: Whether it is an identifier, to be copied.
    """

    label: str
    text: str
    href: str | None = None
    is_code: bool = False


class Headline(NamedTuple):
    """The one metric of a version that a list has room for."""

    metric: str
    value: float


class Pages:
    """Renders the pages of a catalogue.

    Args:
        catalogue: What is registered.
        title: The heading of the site.
    """

    def __init__(self, catalogue: Catalogue, title: str) -> None:
        self._catalogue = catalogue
        self._lineage = Lineage(catalogue)
        self._by_id = {version.artifact_id: version for version in catalogue.versions}
        self._of_name: dict[str, list[Version]] = defaultdict(list)
        for version in catalogue.versions:
            if version.name is not None:
                self._of_name[version.name].append(version)
        self._place = {v.artifact_id: place for versions in self._of_name.values() for place, v in enumerate(versions)}
        self._commonness = Counter(metric for version in catalogue.versions for metric in version.metrics)
        # As people look for names: whatever their case, the newest version first.
        self._listed = sorted(catalogue.versions, key=_order)
        self._environment = Environment(
            loader=PackageLoader("atlas_models.site"),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=_finalize,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals |= {
            "site_title": title,
            "changed_at": moment(catalogue.changed_at),
            "origin": origin,
            "moment": moment,
            "number": number,
            "label": self._lineage.label,
            "kind": self._lineage.kind,
            "address": self._address,
            "no_name": _NO_NAME,
        }

    def index(self) -> str:
        """Renders the index, with the first rows for who has no JavaScript."""
        states = Counter(version.state for version in self._catalogue.versions)
        return self._render(
            "index.html",
            root="",
            rows=[(version, self._headline(version)) for version in self._listed[:_ROWS_OF_A_PAGE]],
            total=len(self._listed),
            names=len(self._of_name),
            counts=[(state, states[state]) for state in _STATES],
            others=len(self._catalogue.others),
            states=_STATES,
            families=_choices(version.family for version in self._listed),
            frameworks=_choices(version.framework for version in self._listed),
        )

    def lists(self) -> Iterator[tuple[str, str]]:
        """Renders the lists of all names, which need no JavaScript: file name and page."""
        unnamed = [version for version in self._listed if version.name is None]
        named: list[tuple[str, list[Version]]] = [
            (name, versions[::-1])
            for name, versions in sorted(self._of_name.items(), key=lambda item: (item[0].casefold(), item[0]))
        ]
        entries = named + ([(_NO_NAME, unnamed)] if unnamed else [])
        pages = [entries[at : at + _NAMES_OF_A_LIST] for at in range(0, len(entries), _NAMES_OF_A_LIST)] or [[]]
        for place, page in enumerate(pages, 1):
            yield (
                _list_name(place),
                self._render(
                    "list.html",
                    root="",
                    entries=[(name, versions[:_VERSIONS_OF_A_NAME], len(versions)) for name, versions in page],
                    place=place,
                    pages=[(number_, _list_name(number_)) for number_ in range(1, len(pages) + 1)],
                    others=self._catalogue.others if place == len(pages) else [],
                ),
            )

    def search_data(self) -> str:
        """Writes what the search looks through as a script: a script is loaded from a file, too, where JSON is not."""
        families = _Numbered()
        frameworks = _Numbered()
        metrics = _Numbered()
        names = _Numbered()
        rows = []
        for version in self._listed:
            headline = self._headline(version)
            file = page_name(version.artifact_id)[: -len(".html")]
            rows.append(
                [
                    names.number(version.name or _NO_NAME),
                    version.number,
                    _brief(version.title) if version.title != version.name else "",
                    _STATES.index(version.state),
                    version.is_external + 2 * version.is_latest,
                    families.number(_brief(version.family)),
                    frameworks.number(_brief(version.framework)),
                    -1 if headline is None else metrics.number(_brief(headline.metric)),
                    "" if headline is None else number(headline.value),
                    None if headline is None else headline.value,
                    file,
                    "" if file == version.artifact_id else shortened(visible(version.artifact_id), 300),
                    _brief(version.task),
                ]
            )
        data = {
            "states": _STATES,
            "names": names.texts,
            "families": families.texts,
            "frameworks": frameworks.texts,
            "metrics": metrics.texts,
            "rows": rows,
        }
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return f"globalThis.atlasCatalogue={text};\n"

    def version(self, row: DictRow) -> tuple[str, str]:
        """Renders the page of a version.

        Args:
            row: Its row of the view ``models`` and its card.

        Returns:
            The file's path in the site, and the page.
        """
        version = self._by_id[row["artifact_id"]]
        siblings = self._of_name[version.name] if version.name is not None else [version]
        place = self._place.get(version.artifact_id, 0)
        near = _window(siblings, place)
        gates = self._gates(version.name)
        page = self._render(
            "version.html",
            root="../",
            version=version,
            previous=siblings[place - 1] if place else None,
            following=siblings[place + 1] if place + 1 < len(siblings) else None,
            siblings=near[::-1],
            sibling_count=len(siblings),
            promoted=next((other for other in siblings if other.state == "promoted"), None),
            keys=list(_key_facts(row)),
            facts=list(self._facts(row)),
            questions=[
                (asked, _readable(asked.seen), _readable(asked.readings))
                for asked in self._catalogue.questions.get(version.artifact_id, [])
            ],
            metrics=metric_plots.compare(version, siblings[:place], gates),
            lineage=self._lineage.around(version.artifact_id),
            events=self._events(version),
            hidden_events=max(
                0,
                self._catalogue.event_counts.get(version.artifact_id, 0)
                - len(self._catalogue.events.get(version.artifact_id, [])),
            ),
            card=card_html(row["card"] or ""),
        )
        return f"models/{page_name(version.artifact_id)}", page

    def other(self, row: DictRow) -> tuple[str, str]:
        """Renders the page of what is no model; as :meth:`version`."""
        facts = (
            Fact("version", written(row["version_tag"])),
            Fact("origin", written(row["origin_type"])),
            _web_fact("from", row["origin_url"]),
            Fact("created by", written(row["created_by"])),
            Fact("registered", moment(row["created_at"])),
        )
        metadata = row["metadata"]
        page = self._render(
            "other.html",
            root="../",
            artifact_id=row["artifact_id"],
            artifact_type=row["artifact_type"],
            heading=shortened(row["title"] or row["artifact_id"], _LONGEST_VALUE),
            facts=[_cut(fact) for fact in facts if fact.text],
            metadata=shortened(json.dumps(metadata, ensure_ascii=False, indent=2), 50_000) if metadata else "",
            lineage=self._lineage.around(row["artifact_id"]),
        )
        return f"artifacts/{page_name(row['artifact_id'])}", page

    def _render(self, template: str, **values: Any) -> str:
        return self._environment.get_template(template).render(values)

    def _address(self, artifact_id: str) -> str | None:
        if not self._lineage.is_known(artifact_id):
            return None
        folder = "models" if self._lineage.is_model(artifact_id) else "artifacts"
        return f"{folder}/{page_name(artifact_id)}"

    def _gates(self, name: str | None) -> list[Gate]:
        own = self._catalogue.gates.get(name, []) if name is not None else []
        return [*own, *self._catalogue.gates.get(None, [])]

    def _headline(self, version: Version) -> Headline | None:
        """Gives the metric that a promotion asks for first, else the one that the most versions have."""
        for gate in self._gates(version.name):
            if gate.metric in version.metrics:
                return Headline(gate.metric, version.metrics[gate.metric])
        if not version.metrics:
            return None
        metric = min(version.metrics, key=lambda metric: (-self._commonness[metric], metric))
        return Headline(metric, version.metrics[metric])

    def _events(self, version: Version) -> list[Any]:
        own = self._catalogue.events.get(version.artifact_id, [])
        rules = self._catalogue.rule_events.get(version.name, []) if version.name is not None else []
        return sorted([*own, *rules], reverse=True)

    def _facts(self, row: DictRow) -> Iterator[tuple[str, list[Fact]]]:
        code = code_link(row["code_repo_url"], row["code_commit_sha"])
        # The card says all there is, as text; here stands what leads somewhere, and what the database alone knows.
        groups = (
            (
                "Where it comes from",
                (
                    _web_fact("taken from", row["external_source_url"]),
                    Fact("version there", written(row["external_source_version"]), is_code=True),
                    _web_fact("from", row["origin_url"]),
                    self._artifact_fact("base model", row["base_model_id"]),
                    self._artifact_fact("made from", row["parent_version_id"]),
                    self._artifact_fact("evaluated on", row["eval_dataset_artifact_id"]),
                    self._artifact_fact("superseded by", row["superseded_by"]),
                ),
            ),
            (
                "Code",
                (
                    _web_fact("repository", row["code_repo_url"], code),
                    Fact("commit", written(row["code_commit_sha"]), is_code=True),
                    Fact("entry point", written(row["code_entrypoint"]), is_code=True),
                ),
            ),
            (
                "Record",
                (
                    Fact("registered", moment(row["created_at"])),
                    Fact("by", written(row["registered_by"])),
                    Fact("first promoted", moment(row["first_promoted_at"])),
                    Fact("changed", moment(row["updated_at"])),
                    Fact("metadata", "" if row["metadata_schema_version"] else "not validated yet"),
                ),
            ),
        )
        for heading, facts in groups:
            if known := [_cut(fact) for fact in facts if fact is not None and fact.text]:
                yield heading, known

    def _artifact_fact(self, label: str, artifact_id: str | None) -> Fact | None:
        if artifact_id is None:
            return None
        address = self._address(artifact_id)
        return Fact(label, self._lineage.label(artifact_id), address and f"../{address}")


class _Numbered:
    """Texts, each kept once and known by a number."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        return self._numbers.setdefault(shortened(visible(text), 300), len(self._numbers))

    @property
    def texts(self) -> list[str]:
        return list(self._numbers)


def _finalize(value: Any) -> Any:
    """Makes what a template shows visible; what is markup already was made so."""
    if value is None:
        return ""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _order(version: Version) -> tuple[Any, ...]:
    name = version.name
    known = ("", "") if name is None else (name.casefold(), name)
    return (name is None, *known, -(version.number or 0), version.artifact_id)


def _brief(text: str | None) -> str:
    return shortened(visible(text or "").replace("\n", " ").strip(), _LONGEST_TITLE)


def _choices(values: Iterator[str | None]) -> list[tuple[str, int]]:
    counted = Counter(_brief(value) for value in values if value)
    return sorted(counted.items(), key=lambda item: (item[0].casefold(), item[0]))


def _web_fact(label: str, url: str | None, href: str | None = None) -> Fact:
    """Shows an address by its host and its end: the whole of it is a column of its own wide."""
    link = href or web_link(url)
    parts = urlsplit(url or "") if link else None
    if parts is None:
        return Fact(label, written(url))
    path = parts.path.strip("/").split("/")
    end = "/".join(path) if len(path) < 3 else f"…/{path[-1]}"
    return Fact(label, f"{parts.netloc}/{end}".rstrip("/"), link)


def _cut(fact: Fact) -> Fact:
    return fact._replace(text=shortened(fact.text, _LONGEST_VALUE))


def _list_name(place: int) -> str:
    return "list.html" if place == 1 else f"list-{place}.html"


def _window(versions: Sequence[Version], place: int) -> Sequence[Version]:
    first = max(0, min(place - _VERSIONS_OF_A_NAME // 2, len(versions) - _VERSIONS_OF_A_NAME))
    return versions[first : first + _VERSIONS_OF_A_NAME]


def _key_facts(row: DictRow) -> Iterator[Fact]:
    for label, value in (
        ("family", row["model_family"]),
        ("framework", row["framework"]),
        ("parameters", row["parameter_count"]),
        ("task", row["task"]),
        ("licence", row["license"]),
    ):
        if value is not None and (text := shortened(written(value), _LONGEST_TITLE)):
            yield Fact(label, text)


def _readable(value: Any) -> list[tuple[str, str]]:
    """Writes what a question has seen, or what it could mean, as pairs of place and value."""
    if isinstance(value, dict):
        return [(str(key), shortened(json.dumps(item, ensure_ascii=False), 300)) for key, item in value.items()][:50]
    if isinstance(value, list):
        return [("", shortened(written(item), 300)) for item in value[:50]]
    return [("", shortened(written(value), 300))] if value is not None else []
