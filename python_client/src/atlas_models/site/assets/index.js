// The search of the index: filters the rows of catalogue.js and shows a page of them. All text goes in as text.
"use strict";
(() => {
  const { names, families, frameworks, metrics, states, rows } = globalThis.atlasCatalogue;
  const [NAME, NUMBER, TITLE, STATE, FLAGS, FAMILY, FRAMEWORK, METRIC, SHOWN, VALUE, FILE, ID, TASK] = Array(13).keys();
  const ROWS_OF_A_PAGE = 50;
  const byId = (id) => document.getElementById(id);
  const form = byId("search");
  const inputs = { q: byId("q"), state: byId("state"), origin: byId("origin"), family: byId("family"), framework: byId("framework") };
  const latest = byId("latest");
  const body = document.querySelector("#versions tbody");
  const headings = [...document.querySelectorAll("#versions th")];
  const collator = new Intl.Collator("en", { sensitivity: "base", numeric: true });

  // What is looked through, and the places of texts in their order: made once, so that a key stroke compares numbers.
  const plain = (text) => text.normalize("NFKC").toLowerCase();
  const texts = rows.map((row) =>
    plain([names[row[NAME]], row[TITLE], families[row[FAMILY]], frameworks[row[FRAMEWORK]], row[TASK], row[FILE], row[ID]].join("\n")));
  const ranks = (values) => {
    const order = values.map((_, place) => place).sort((a, b) => collator.compare(values[a], values[b]));
    const rank = [];
    order.forEach((place, at) => { rank[place] = at; });
    return rank;
  };
  const familyRank = ranks(families);
  const frameworkRank = ranks(frameworks);
  const metricRank = ranks(metrics);
  const isExternal = (row) => row[FLAGS] % 2 === 1;
  // Rows come by name, the newest version first; every order falls back on that.
  const orders = {
    name: (a, b) => a - b,
    version: (a, b) => rows[a][NUMBER] - rows[b][NUMBER],
    state: (a, b) => rows[a][STATE] - rows[b][STATE],
    origin: (a, b) => isExternal(rows[a]) - isExternal(rows[b]),
    family: (a, b) => familyRank[rows[a][FAMILY]] - familyRank[rows[b][FAMILY]],
    framework: (a, b) => frameworkRank[rows[a][FRAMEWORK]] - frameworkRank[rows[b][FRAMEWORK]],
    // Values of one metric can be compared: the metrics in their order, the highest value first.
    metric: (a, b) => (rows[a][METRIC] < 0) - (rows[b][METRIC] < 0)
      || (rows[a][METRIC] >= 0 && (metricRank[rows[a][METRIC]] - metricRank[rows[b][METRIC]] || rows[b][VALUE] - rows[a][VALUE])) || 0,
  };

  let view = { sort: "name", down: false, page: 1 };
  let found = [];

  function element(tag, className, ...children) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    made.append(...children.filter((child) => child !== ""));
    return made;
  }
  const isolated = (text) => element("bdi", "", text);
  const badge = (kind, text) => element("span", `${kind} ${text}`, text);

  function rowOf(row) {
    const origin = isExternal(row) ? "external" : "internal";
    const family = families[row[FAMILY]];
    const framework = frameworks[row[FRAMEWORK]];
    const metric = row[METRIC] < 0 ? "" : metrics[row[METRIC]];
    const link = element("a", "", isolated(names[row[NAME]]));
    link.href = `models/${row[FILE]}.html`;
    const more = element("span", "more", `version ${row[NUMBER] ?? "–"} · `, badge("origin", origin), " ", isolated(family.slice(0, 60)));
    if (framework) more.append(" · ", isolated(framework.slice(0, 40)));
    if (metric) more.append(" · ", isolated(metric.slice(0, 40)), ` ${row[SHOWN]}`);
    const shown = element("td", "c-metric right");
    if (metric) shown.append(element("b", "", row[SHOWN]), element("span", "metric", isolated(metric)));
    return element("tr", "",
      element("td", "c-name", link, row[TITLE] ? element("span", "title", isolated(row[TITLE])) : "", more),
      element("td", "c-version right", String(row[NUMBER] ?? "")),
      element("td", "c-state", badge("state", states[row[STATE]])),
      element("td", "c-origin", badge("origin", origin)),
      element("td", "c-family", isolated(family)),
      element("td", "c-framework", isolated(framework)),
      shown);
  }

  function search() {
    const words = plain(inputs.q.value).split(/\s+/).filter(Boolean);
    const state = states.indexOf(inputs.state.value);
    const { origin, family, framework } = inputs;
    found = [];
    rows.forEach((row, place) => {
      if (state >= 0 && row[STATE] !== state) return;
      if (origin.value && isExternal(row) !== (origin.value === "external")) return;
      if (latest.checked && row[FLAGS] < 2) return;
      if (family.value && families[row[FAMILY]] !== family.value) return;
      if (framework.value && frameworks[row[FRAMEWORK]] !== framework.value) return;
      if (words.every((word) => texts[place].includes(word))) found.push(place);
    });
    const order = orders[view.sort];
    const sign = view.down ? -1 : 1;
    found.sort((a, b) => sign * order(a, b) || a - b);
  }

  function show() {
    const pages = Math.max(1, Math.ceil(found.length / ROWS_OF_A_PAGE));
    view.page = Math.min(Math.max(1, view.page), pages);
    const first = (view.page - 1) * ROWS_OF_A_PAGE;
    const shown = found.slice(first, first + ROWS_OF_A_PAGE);
    body.replaceChildren(...shown.map((place) => rowOf(rows[place])));
    const count = found.length.toLocaleString("en");
    byId("found").textContent = found.length === 0
      ? "Nothing found. Fewer words, or fewer conditions, find more."
      : `${count} version${found.length === 1 ? "" : "s"}${pages > 1 ? `, shown ${first + 1} to ${first + shown.length}` : ""}`;
    byId("versions").hidden = found.length === 0;
    byId("pages").hidden = pages === 1;
    byId("page").textContent = `Page ${view.page.toLocaleString("en")} of ${pages.toLocaleString("en")}`;
    byId("previous").disabled = view.page === 1;
    byId("next").disabled = view.page === pages;
    byId("clear").hidden = writeHash() === "";
    for (const heading of headings) {
      const isSorted = heading.dataset.sort === view.sort;
      if (isSorted) heading.setAttribute("aria-sort", view.down ? "descending" : "ascending");
      else heading.removeAttribute("aria-sort");
    }
  }

  function writeHash() {
    const kept = new URLSearchParams();
    for (const [name, input] of Object.entries(inputs)) if (input.value.trim()) kept.set(name, input.value.trim());
    if (latest.checked) kept.set("latest", "1");
    if (view.sort !== "name" || view.down) kept.set("sort", (view.down ? "-" : "") + view.sort);
    if (view.page > 1) kept.set("page", view.page);
    return kept.toString();
  }

  function readHash() {
    const kept = new URLSearchParams(location.hash.slice(1));
    for (const [name, input] of Object.entries(inputs)) {
      input.value = kept.get(name) ?? "";
      if (input.selectedIndex === -1) input.value = ""; // no such choice
    }
    latest.checked = kept.get("latest") === "1";
    const sort = kept.get("sort") ?? "name";
    const name = sort.replace(/^-/, "");
    view = { sort: Object.hasOwn(orders, name) ? name : "name", down: sort.startsWith("-"), page: Number.parseInt(kept.get("page"), 10) || 1 };
  }

  let waiting = 0;
  function keepNow() {
    clearTimeout(waiting);
    const hash = writeHash();
    if (hash !== location.hash.slice(1)) history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
  }
  function keep() {
    // Not with every key: browsers limit how often an address may change.
    clearTimeout(waiting);
    waiting = setTimeout(keepNow, 250);
  }

  function update(isNewSearch = true) {
    if (isNewSearch) view.page = 1;
    search();
    show();
    keep();
  }

  function turn(by, focused) {
    view.page += by;
    show();
    keep();
    // A button that is disabled now has lost the focus.
    if (focused.disabled) byId(by > 0 ? "previous" : "next").focus();
    byId("found").scrollIntoView({ block: "nearest" });
  }

  for (const heading of headings) {
    const button = element("button", "sort", heading.textContent);
    button.type = "button";
    button.addEventListener("click", () => {
      const sort = heading.dataset.sort;
      view = { sort, down: view.sort === sort && !view.down, page: 1 };
      update();
    });
    heading.replaceChildren(button);
  }
  form.addEventListener("input", () => update());
  byId("clear").addEventListener("click", () => {
    form.reset();
    view = { sort: "name", down: false, page: 1 };
    update();
    inputs.q.focus();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    body.querySelector("a")?.focus();
  });
  byId("previous").addEventListener("click", (event) => turn(-1, event.currentTarget));
  byId("next").addEventListener("click", (event) => turn(1, event.currentTarget));
  body.addEventListener("click", keepNow); // before a link is followed: Back comes to what was found
  addEventListener("hashchange", () => { readHash(); update(false); });
  document.addEventListener("keydown", (event) => {
    const isTyping = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement?.tagName ?? "");
    if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      inputs.q.focus();
    }
  });

  form.hidden = false;
  readHash();
  update(false);
})();
