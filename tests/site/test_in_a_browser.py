"""The site in a real browser: searched, read and run through with the keyboard, at any width, in both schemes."""

from __future__ import annotations

import json
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest
from psycopg.types.json import Jsonb

from commands import as_url
from factories import internal_metadata
from site_catalogue import write
from waiting import wait_until

VISITED = (
    "index.html",
    "list.html",
    "models/risk-3.html",
    "models/base-1.html",
    "models/hostile-0-2.html",
    "models/hostile-1-2.html",
    "models/hostile-2-2.html",
    "models/hostile-3-2.html",
    "models/hostile-4-2.html",
    "models/long.html",
    "artifacts/loans-2026.html",
)
# The lowest contrast of a text with what is behind it, and that text; 4.5 is what WCAG AA asks for.
CONTRAST = """
const linear = (value) => value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
const channel = (value) => linear(value / 255);
const parse = (text) => { const n = text.match(/[\\d.]+/g).map(Number); return n.length === 3 ? [...n, 1] : n; };
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const behind = (element) => {
  if (element.ownerSVGElement) {
    const node = element.closest("g.node");
    if (node) return parse(getComputedStyle(node.querySelector("rect")).fill);
  }
  for (let at = element; at; at = at.parentElement) {
    const colour = parse(getComputedStyle(at).backgroundColor);
    if (colour[3] === 1) return colour;
    if (colour[3] !== 0) throw new Error("half transparent");
  }
  throw new Error("nothing behind");
};
let lowest = [99, ""];
let count = 0;
for (const element of document.querySelectorAll("body *")) {
  const own = [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data.trim()).join("");
  if (!own || !element.checkVisibility() || element.matches(":disabled, option, title, desc, noscript")) continue;
  count += 1;
  const style = getComputedStyle(element);
  const [a, b] = [light(parse(element.ownerSVGElement ? style.fill : style.color)), light(behind(element))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < lowest[0]) lowest = [ratio, own.slice(0, 80)];
}
return [...lowest, count];
"""


@pytest.fixture(autouse=True)
def clean(browser):
    """Every test begins with a wide, light window and empty logs."""
    look(browser)
    browser.get("about:blank")
    browser.get_log("browser")
    browser.get_log("performance")


def look(browser, width=1280, scheme="light"):
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def visit(browser, site: Path, page: str) -> None:
    browser.get("about:blank")  # otherwise a change of the hash alone loads nothing
    browser.get(f"{site.as_uri()}/{page}")
    wait_for_the_page(browser)


def wait_for_the_page(browser) -> None:
    """Waits until the page is there, and where it searches, until it has searched."""
    ready = "return document.readyState === 'complete' && document.getElementById('found')?.textContent !== ''"
    wait_until(lambda: browser.execute_script(ready), "the page")


def press(browser, *keys):
    from selenium.webdriver import ActionChains

    for key in keys:
        ActionChains(browser).send_keys(key).perform()


def names(browser) -> list[str]:
    return browser.execute_script(
        "return [...document.querySelectorAll('#versions tbody tr')].map((row) =>"
        " `${row.querySelector('a bdi').textContent} ${row.querySelector('.c-version').textContent}`)"
    )


def focused(browser) -> str:
    return browser.execute_script("return document.activeElement.textContent || document.activeElement.id")


def test_the_search_finds_by_words_of_all_fields(browser, site):
    visit(browser, site, "index.html")
    assert len(names(browser)) == 34
    query = browser.find_element("id", "q")
    query.send_keys("WEEKLY scoring")
    assert names(browser) == ["credit-risk 3", "credit-risk 2", "credit-risk 1"]
    assert browser.find_element("id", "found").text == "3 versions"
    query.clear()
    query.send_keys("risk-2")
    assert names(browser) == ["credit-risk 2"]
    query.clear()
    query.send_keys("no such thing")
    assert names(browser) == []
    assert browser.find_element("id", "found").text.startswith("Nothing found.")


def test_filters_and_order_narrow_it_down_and_the_address_keeps_them(browser, site):
    visit(browser, site, "index.html#q=made-&sort=-name")
    assert (names(browser)[0], names(browser)[-1]) == ("made-11 1", "made-00 1")
    visit(browser, site, "index.html#state=promoted&origin=internal&latest=1")
    assert names(browser) == ["credit-risk 3"]
    browser.find_element("id", "q").send_keys("risk")
    wait_until(lambda: "q=risk" in browser.current_url, "the address to keep the query")
    browser.refresh()
    wait_for_the_page(browser)
    assert browser.find_element("id", "q").get_attribute("value") == "risk"
    assert names(browser) == ["credit-risk 3"]
    visit(browser, site, "index.html#state=%3Cscript%3E&sort=__proto__&page=-7&family=none&nonsense")
    assert len(names(browser)) == 34


def test_a_heading_orders_the_list_and_says_so(browser, site):
    visit(browser, site, "index.html#q=credit-risk")
    heading = browser.find_element("css selector", "th[data-sort=version]")
    heading.find_element("css selector", "button").click()
    assert names(browser) == ["credit-risk 1", "credit-risk 2", "credit-risk 3"]
    assert heading.get_attribute("aria-sort") == "ascending"
    heading.find_element("css selector", "button").click()
    assert names(browser) == ["credit-risk 3", "credit-risk 2", "credit-risk 1"]
    assert heading.get_attribute("aria-sort") == "descending"


def test_the_keyboard_alone_finds_and_opens_a_version(browser, site):
    from selenium.webdriver.common.keys import Keys

    visit(browser, site, "index.html")
    press(browser, Keys.TAB)
    assert focused(browser) == "Skip to the content"
    press(browser, Keys.TAB, Keys.TAB, Keys.TAB, Keys.TAB)
    assert focused(browser) == "q"
    ring = browser.execute_script("return getComputedStyle(document.activeElement).outlineStyle")
    assert ring == "solid"
    press(browser, "weekly risk", Keys.ENTER)
    assert focused(browser) == "credit-risk"
    press(browser, Keys.TAB, Keys.ENTER)
    wait_until(lambda: "/models/risk-2.html" in browser.current_url, "the page of version 2")
    assert browser.find_element("css selector", "h1").text == "credit-risk version 2"
    browser.back()
    wait_until(lambda: "index.html" in browser.current_url and names(browser), "the list again")
    assert len(names(browser)) == 3
    press(browser, "/")
    assert focused(browser) == "q"


def test_nothing_hostile_runs_no_error_is_told_and_nothing_is_loaded_from_elsewhere(browser, site):
    for page in VISITED:
        visit(browser, site, page)
        assert browser.execute_script("return typeof globalThis.wasRun") == "undefined", page
        # What could be clicked into running.
        assert browser.execute_script("return document.querySelectorAll('[href^=\"javascript\" i]').length") == 0
    visit(browser, site, "index.html")
    for text in ("<script>", "onerror", "javascript", "svg onload", "png.exe", "\u0335"):
        browser.find_element("id", "q").clear()
        browser.find_element("id", "q").send_keys(text)
    assert browser.execute_script("return typeof globalThis.wasRun") == "undefined"
    assert browser.get_log("browser") == []
    asked = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [
        message["params"]["request"]["url"] for message in asked if message["method"] == "Network.requestWillBeSent"
    ]
    assert len(urls) > len(VISITED)
    assert {url.split(":")[0] for url in urls} <= {"file", "about"}


@pytest.mark.parametrize("width", [360, *(pytest.param(width, marks=pytest.mark.long) for width in (768, 1280))])
def test_no_page_is_wider_than_the_window(browser, site, width):
    look(browser, width)
    for page in VISITED:
        visit(browser, site, page)
        size = browser.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
        assert size[0] <= width and size[1] == width, (page, size)


def test_the_colours_follow_the_scheme_and_every_text_can_be_read_in_both(browser, site):
    backs = []
    for scheme in ("light", "dark"):
        look(browser, scheme=scheme)
        for page in (*VISITED[:5], "artifacts/loans-2026.html"):
            visit(browser, site, page)
            ratio, text, count = browser.execute_script(CONTRAST)
            assert count > 10
            assert ratio >= 4.5, (scheme, page, text, ratio)
        backs.append(browser.execute_script("return getComputedStyle(document.body).backgroundColor"))
    assert backs == ["rgb(247, 247, 245)", "rgb(16, 19, 21)"]


def test_without_javascript_the_list_and_the_way_to_all_names_are_there(browser, site):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(f"{site.as_uri()}/index.html")
        rows = browser.find_elements("css selector", "#versions tbody tr")
        assert len(rows) == 34
        browser.find_element("link text", "All names as a plain list").click()
        assert "credit-risk" in browser.find_element("css selector", ".names").text
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def test_a_plain_web_server_serves_it_as_well(browser, site):
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        browser.get(f"http://127.0.0.1:{server.server_port}/#q=weekly")
        wait_for_the_page(browser)
        assert names(browser) == ["credit-risk 3", "credit-risk 2", "credit-risk 1"]
        browser.find_element("link text", "credit-risk").click()
        assert browser.find_element("css selector", "h1").text == "credit-risk version 3"
        for page in site.rglob("*~*.html"):
            browser.get(f"http://127.0.0.1:{server.server_port}/models/{page.name}")
            assert browser.find_element("css selector", "h1").text.startswith("strange ids")
        assert browser.get_log("browser") == []
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_headings_tables_and_landmarks_are_what_they_look_like(browser, site):
    for page in VISITED[:4]:
        visit(browser, site, page)
        tree = browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        roles = [node["role"]["value"] for node in tree if not node.get("ignored")]
        assert roles.count("main") == 1 and roles.count("banner") == 1 and "navigation" in roles
        headings = [
            int(p["value"]["value"])
            for node in tree
            if not node.get("ignored") and node["role"]["value"] == "heading"
            for p in node["properties"]
            if p["name"] == "level"
        ]
        assert headings.count(1) == 1 and headings[0] == 1
        assert all(after - before <= 1 for before, after in pairwise(headings)), headings
        unnamed = [
            node["role"]["value"]
            for node in tree
            if not node.get("ignored")
            and node["role"]["value"] in ("link", "button", "searchbox", "combobox", "checkbox", "img", "table")
            and not node.get("name", {}).get("value")
            and node["role"]["value"] != "table"
        ]
        assert unnamed == []


def lay_down(url: str, versions: int) -> None:
    """Registers versions of a tenth as many names."""
    models = [
        {
            "name": f"model-{number // 10:05}",
            "artifact_id": f"model-{number // 10:05}-{number % 10}",
            "title": f"Try {number % 10} of number {number // 10}",
            "metadata": internal_metadata(
                model_family=f"family {number % 37}", evaluation_metrics={"auroc": 0.5 + number % 500 / 1000}
            ),
        }
        for number in range(versions)
    ]
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("set search_path = atlas")
        for first in range(0, versions, 5000):
            conn.execute("select count(*) from register_models(%s)", [Jsonb(models[first : first + 5000])])


@pytest.mark.parametrize("versions", [150, pytest.param(10_000, marks=pytest.mark.long)])
def test_a_large_catalogue_is_written_and_searched_without_waiting(browser, database_url, tmp_path, versions):
    lay_down(database_url, versions)
    began = time.perf_counter()
    write(as_url(database_url), tmp_path / "site")
    took = time.perf_counter() - began
    assert took < (15 if versions == 150 else 180)
    visit(browser, tmp_path / "site", "index.html")
    assert len(names(browser)) == 50
    # From the key to the rows, layout included.
    waited = browser.execute_script(
        """
        const query = document.getElementById("q");
        const times = ["model", "000", "family 7", "try 3 number 7", "nothing at all", ""].map((text) => {
          const began = performance.now();
          query.value = text;
          query.dispatchEvent(new InputEvent("input", { bubbles: true }));
          document.body.getBoundingClientRect();
          return performance.now() - began;
        });
        return Math.max(...times);
        """
    )
    assert waited < 1000
    print(f"{versions} versions: written in {took:.1f} s, the slowest query answered in {waited:.0f} ms")
    browser.find_element("id", "q").send_keys("model-00007")
    assert names(browser)[0] == "model-00007 10"
    browser.find_element("id", "clear").click()
    browser.find_element("id", "next").click()
    assert browser.find_element("id", "page").text == f"Page 2 of {versions // 50}"
    assert browser.find_element("id", "found").text == f"{versions:,} versions, shown 51 to 100"
