"""What stands on the pages: everything that is known, as text, and nothing that is loaded from elsewhere."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest

from atlas_models.site.addresses import code_link, page_name, web_link
from atlas_models.site.metric_plots import compare
from atlas_models.site.reading import Gate, Version
from atlas_models.site.texts import card_html, change, number, visible
from commands import as_url
from site_catalogue import write

POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'"


class Page(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def pages(site) -> dict[str, Page]:
    return {path.relative_to(site).as_posix(): Page(path) for path in sorted(site.rglob("*.html"))}


def test_every_version_and_every_other_artifact_has_a_page_of_its_own(pages):
    folders = [path.split("/")[0] for path in pages]
    assert (folders.count("models"), folders.count("artifacts")) == (1 + 3 + 12 + 10 + 7 + 1, 1)
    assert pages["models/risk-2.html"].text.count("credit-risk") > 3


def test_every_link_within_the_site_leads_to_a_file_of_it(site, pages):
    for path, page in pages.items():
        for attributes in page.all("a") + page.all("link") + page.all("script") + page.all("img"):
            target = attributes.get("href") or attributes.get("src")
            if urlsplit(target).scheme or target.startswith("#"):
                continue
            assert (site / urljoin(path, target)).is_file(), (path, target)


def test_no_page_loads_or_runs_anything_but_its_own_files(pages):
    for path, page in pages.items():
        assert page.all("meta")[1] == {"http-equiv": "Content-Security-Policy", "content": POLICY}
        for tag, attributes in page.elements:
            assert not [name for name in attributes if name.startswith("on") or name == "style"], (path, tag)
            assert tag not in ("style", "iframe", "object", "embed", "base", "foreignobject", "use", "form") or (
                (path, tag) == ("index.html", "form")
            )
            for name in ("src", "href"):
                if tag != "a" and name in attributes:
                    assert not urlsplit(attributes[name]).scheme, (path, tag, attributes)
            if tag == "a":
                assert urlsplit(attributes["href"]).scheme in ("", "http", "https"), (path, attributes)
        scripts = [attributes["src"] for attributes in page.all("script")]
        assert scripts == (["assets/catalogue.js", "assets/index.js"] if path == "index.html" else [])


def test_hostile_fields_are_shown_as_the_text_that_they_are(pages):
    assert "<script>globalThis.wasRun=1</script>" in pages["models/hostile-0-1.html"].text
    assert '"><img src=x onerror="globalThis.wasRun=1">' in pages["index.html"].text
    assert "{{ 7 * 7 }} {% raw %}" in pages["models/hostile-3-1.html"].text
    reversed_one = pages["models/hostile-4-1.html"].text
    assert "(U+202E)gnp.exe(U+202C)" in reversed_one
    for page in pages.values():
        assert not {"\u202a", "\u202b", "\u202d", "\u202e", "\u2066"} & set(page.text)
    assert "Models <b>of</b> ours" in pages["index.html"].text


def test_the_page_of_a_version_leads_to_what_it_has_to_do_with(pages):
    page = pages["models/risk-3.html"]
    targets = [attributes["href"] for attributes in page.all("a")]
    for target in (
        "../models/risk-2.html",
        "../models/base-1.html",
        "../artifacts/loans-2026.html",
        "../models/made-00.html",
        "https://github.com/example/risk/tree/0123456789abcdef0123456789abcdef01234567",
    ):
        assert target in targets
    # Twelve came of it: eight are shown.
    assert "and 4 more" in page.text
    assert "../models/made-11.html" not in targets
    for text in ("set the gate auroc >= 0.75: the board", "promoted version 3, candidate → promoted", "version 3"):
        assert text in page.text


def test_metrics_stand_beside_those_of_the_version_before_in_a_table_and_a_plot(pages):
    page = pages["models/risk-3.html"]
    drawn = [attributes["d"] for attributes in page.all("path") if attributes.get("class") == "line"]
    assert len(drawn) == 1
    assert len(page.all("circle")) == 3
    assert "auroc of 3 versions: 0.7 in version 1, 0.8 in version 3; lowest 0.7, highest 0.8" in page.text
    assert "gate >= 0.75" in page.text
    assert not pages["models/base-1.html"].all("circle")


def test_the_search_has_all_versions_as_data(site):
    script = (site / "assets" / "catalogue.js").read_text(encoding="utf-8")
    assert script.startswith("globalThis.atlasCatalogue={")
    data = json.loads(script.removeprefix("globalThis.atlasCatalogue=").removesuffix(";\n"))
    assert len(data["rows"]) == 34
    (row,) = [row for row in data["rows"] if row[10] == "risk-3"]
    assert data["names"][row[0]] == "credit-risk"
    assert row[1:5] == [3, "Weekly risk, try 3", 0, 2]
    assert (data["families"][row[5]], data["frameworks"][row[6]]) == ("gradient boosting", "xgboost")
    assert (data["metrics"][row[7]], row[8], row[9]) == ("auroc", "0.8", 0.8)


def test_the_same_database_gives_the_same_bytes(site, filled_url, tmp_path):
    write(filled_url, tmp_path / "again", "--title", "Models <b>of</b> ours")
    files = {path.relative_to(site) for path in site.rglob("*") if path.is_file()}
    assert files == {path.relative_to(tmp_path / "again") for path in (tmp_path / "again").rglob("*") if path.is_file()}
    for file in files:
        assert (site / file).read_bytes() == (tmp_path / "again" / file).read_bytes(), file


def test_open_questions_stand_on_the_page_of_the_model_that_waits(backfilled_url, tmp_path):
    write(as_url(backfilled_url), tmp_path / "site")
    texts = [Page(path).text for path in (tmp_path / "site" / "models").iterdir()]
    asked = [text for text in texts if "Waits for a person" in text]
    assert asked
    assert any("Could be" in text for text in asked)


def test_an_empty_registry_has_a_site_too(database_url, tmp_path):
    write(as_url(database_url), tmp_path / "site")
    assert "No model is registered yet." in Page(tmp_path / "site" / "index.html").text


# --- pieces -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("artifact_id", "file"),
    [
        ("model-5c1d", "model-5c1d.html"),
        ("a_b.c-1", "a_b.c-1.html"),
        ("..", "id~"),
        ("con", "con~"),
        ("com1.x", "com1-x~"),
        ("Case", "case~"),
        ("a/b", "a-b~"),
        (".hidden", "hidden~"),
        ("dot.", "dot~"),
        ("x" * 256, "x" * 40 + "~"),
        ("模型", "id~"),
    ],
)
def test_a_file_name_is_safe_whatever_the_id(artifact_id, file):
    name = page_name(artifact_id)
    assert name.startswith(file) and name.endswith(".html")
    assert len(name) <= 105


def test_no_two_ids_have_one_file_name():
    ids = ["a", "A", "a.", "a ", "a/b", "a\\b", "a-b", "b/a", "é", "e\u0301", "x" * 100, "x" * 101, "x" * 102, "nul"]
    assert len({page_name(artifact_id).lower() for artifact_id in ids}) == len(ids)


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("https://example.org/a?b=c#d", "https://example.org/a?b=c#d"),
        ("javascript:alert(1)", None),
        ("JavaScript://example.org/%0aalert(1)", None),
        ("data:text/html,x", None),
        ("//example.org", None),
        ("https://user:secret@example.org/", None),
        ("https://example.org/\u202etxt", None),
        ("https://[broken", None),
        ("git@example.org:team/project.git", None),
        (None, None),
    ],
)
def test_only_addresses_of_the_web_become_links(url, link):
    assert web_link(url) == link


def test_code_is_linked_at_its_commit_where_the_hosts_custom_is_known():
    assert code_link("https://gitlab.com/t/p.git", "abc") == "https://gitlab.com/t/p/-/tree/abc"
    assert code_link("https://git.example.org/t/p", "abc") == "https://git.example.org/t/p"
    assert code_link("git@github.com:t/p.git", "abc") is None


def test_a_card_is_rendered_without_front_matter_images_html_or_unsafe_links():
    card = (
        "---\nlicense: mit\n---\n\n# Title\n\n## Part\n\n<b>x</b> [a](javascript:f()) [b](https://example.org/) "
        "![p](https://example.org/p.png) &#x202e;\n\n|a|b|\n|---|---:|\n|1|2|\n"
    )
    assert card_html(card) == (
        "<h3>Part</h3>\n"
        "<p>&lt;b&gt;x&lt;/b&gt; [a](javascript:f()) "
        '<a href="https://example.org/" rel="noopener noreferrer nofollow">b</a> '
        '!<a href="https://example.org/p.png" rel="noopener noreferrer nofollow">p</a> (U+202E)</p>\n'
        '<div class="scroll" role="region" aria-label="Table" tabindex="0"><table>\n'
        '<thead>\n<tr>\n<th scope="col">a</th>\n<th scope="col" class="right">b</th>\n</tr>\n</thead>\n'
        '<tbody>\n<tr>\n<td>1</td>\n<td class="right">2</td>\n</tr>\n</tbody>\n</table></div>\n'
    )


def test_a_very_long_card_is_shown_as_it_is_written():
    assert card_html("<b>" + "x" * 250_000) == (
        '<pre class="plain">&lt;b&gt;' + "x" * 199_997 + "\n\n… and 50,003 characters more</pre>"
    )


def test_what_cannot_be_seen_is_written_out():
    assert visible("a\u202eb\x00c\r\nd\te\u2028") == "a(U+202E)b(U+0000)c\nd\te(U+2028)"


def test_numbers_are_short_and_changes_have_their_sign():
    assert [number(value) for value in (1234567, 0.123456789, 3.0, 1e-12)] == ["1,234,567", "0.123457", "3", "1e-12"]
    assert [change(0.1, 0.3), change(0.3, 0.1), change(2, 2)] == ["+0.2", "\N{MINUS SIGN}0.2", "±0"]


def version(number_: int, **metrics: float) -> Version:
    return Version(
        artifact_id=f"v{number_}",
        name="n",
        number=number_,
        title=None,
        state="candidate",
        is_external=False,
        is_latest=False,
        family=None,
        framework=None,
        task=None,
        metrics=metrics,
        parent=None,
        base=None,
        dataset=None,
        superseded_by=None,
    )


def test_a_comparison_puts_what_is_asked_for_first_and_survives_any_numbers():
    compared = compare(version(3, a=1.0, z=-1.7e308), [version(1, z=1.7e308), version(2)], [Gate("z", ">=", 0.0)])
    assert [(row.metric, row.value, row.before, row.gate) for row in compared.rows] == [
        ("z", "-1.7e+308", "1.7e+308", ">= 0"),
        ("a", "1", "", ""),
    ]
    (plot,) = compared.plots
    assert [(point.version, point.y) for point in plot.points] == [(1, 14), (3, 108)]
    assert compare(version(1, a=1.0), [], []) is None
