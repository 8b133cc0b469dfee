// Looks at a picture as it is laid out in this window, and returns what is wrong with it, and
// how much it looked at.
(() => {
  const wrong = [];
  const fail = (what, element) => {
    if (wrong.length < 10) wrong.push(what + ": " + (element ? element.outerHTML.slice(0, 200) : ""));
  };
  const all = (selector) => [...document.querySelectorAll(selector)];
  document.querySelectorAll("details").forEach((d) => { d.open = true; });

  // Nothing but what the template writes.
  const tags = new Set("html head meta title style body svg defs marker path header h1 div ul li dl dt dd main nav table caption thead tbody tr th td a span p details summary b line g circle i section h2 h3 article pre".split(" "));
  const attributes = new Set("lang charset name content http-equiv class id aria-hidden aria-label aria-labelledby width height viewBox refX refY markerWidth markerHeight markerUnits orient d scope colspan rowspan title style x1 x2 y1 y2 transform r href open tabindex".split(" "));
  for (const e of all("*")) {
    if (!tags.has(e.localName)) fail("unexpected element", e);
    for (const a of e.attributes) if (!attributes.has(a.name)) fail("unexpected attribute " + a.name, e);
  }
  for (const a of all("a")) {
    if (!document.getElementById(a.getAttribute("href").slice(1))) fail("a link leads nowhere", a);
  }
  const ids = all("[id]").map((e) => e.id);
  if (new Set(ids).size !== ids.length) fail("an id is repeated");

  // What a screen reader needs.
  if (!document.documentElement.lang || !document.title || all("h1").length !== 1) fail("no language, title or heading");
  for (const t of all("table.matrix")) {
    if (!t.caption) fail("no caption", t);
    for (const th of t.querySelectorAll("tbody th")) if (th.scope !== "row") fail("not the head of a row", th);
    for (const th of t.querySelectorAll("thead th")) if (!th.scope && th.textContent) fail("not the head of a column", th);
    const columns = t.querySelectorAll("thead th.col").length;
    for (const tr of t.querySelectorAll("tbody tr")) {
      if (tr.querySelectorAll("td.c").length !== columns) fail("a row of another length", tr);
    }
  }
  for (const td of all("td.c")) if (!td.textContent && !td.title) fail("a cell that says nothing", td);

  // The text that is not in the table is as wide as the window.
  for (const e of all("header, nav, summary, .problem")) {
    const r = e.getBoundingClientRect();
    if (r.left < 0 || r.right > innerWidth) fail("wider than the window", e);
  }

  // Every operation, group and zone is at the place that the user scrolls to.
  const hit = (e) => {
    let r = e.getBoundingClientRect();
    const middle = (r.left + r.right) / 2;
    if (r.top < innerHeight * 0.45 || r.bottom > innerHeight - 20 || !e.closest("tbody th") && (middle < innerWidth * 0.5 || middle > innerWidth - 10)) {
      e.scrollIntoView({ block: "center", inline: "center" }); // only then: it is slow
      r = e.getBoundingClientRect();
    }
    const x = r.left + r.width / 2, y = r.top + Math.min(r.height / 2, 300);
    if (r.width < 8 || r.height < 8) return fail("not visible", e);
    const top = document.elementFromPoint(x, y);
    if (!top || !(e.contains(top) || top.contains(e) && top.localName !== "body" && top.localName !== "html")) fail("overlapped by " + (top && top.outerHTML.slice(0, 80)), e);
  };
  const operations = all("tbody th b"), columns = all("thead th.col > div"), zones = all("thead th.zone > div");
  [...operations, ...columns, ...zones, ...all(".chip"), ...all(".problem h3")].forEach(hit);

  // No text leaves its box, and no box overlaps another.
  const cells = all("td.c > .k");
  for (const e of [...cells, ...columns, ...all("tbody th"), ...all("td.sum"), ...all(".problem"), ...zones, ...all(".badge"), ...all(".chip")]) {
    if (e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 2) fail("text leaves its box", e);
  }
  scrollTo(0, 0);
  for (const t of all("table.matrix")) {
    let bottom = -Infinity;
    for (const tr of t.querySelectorAll("tbody tr")) {
      let right = -Infinity, low = 0;
      for (const e of tr.children) {
        const r = (e.querySelector(".k") || e).getBoundingClientRect();
        if (r.left < right - 0.5 && e.localName !== "th") fail("overlaps the one left of it", e);
        if (r.top < bottom - 0.5) fail("overlaps the one above", e);
        right = r.right;
        low = Math.max(low, r.bottom);
      }
      bottom = low;
    }
  }
  for (const p of [...all(".problem")].map((e) => e.getBoundingClientRect()).entries()) {
    const next = all(".problem")[p[0] + 1];
    if (next && next.getBoundingClientRect().top < p[1].bottom) fail("a problem overlaps the next", next);
  }

  // Contrast (WCAG 2, level AA).
  const parse = (c) => c.match(/[\d.]+/g).map(Number);
  const luminance = (c) => {
    const [r, g, b] = parse(c).map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => {
    const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (high + 0.05) / (low + 0.05);
  };
  const backgrounds = (e) => {
    for (; e; e = e.parentElement) {
      const s = getComputedStyle(e);
      if (s.backgroundImage !== "none") return s.backgroundImage.match(/rgba?\([^)]*\)/g);
      const [, , , alpha] = parse(s.backgroundColor);
      if (alpha === undefined || alpha === 1) return [s.backgroundColor];
    }
    return ["rgb(255, 255, 255)"];
  };
  const pairs = new Map();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let n; (n = walker.nextNode());) {
    if (!n.data.trim() || n.parentElement.closest(".hidden")) continue;
    const foreground = getComputedStyle(n.parentElement).color;
    for (const b of backgrounds(n.parentElement)) pairs.set(foreground + " on " + b, [foreground, b, n.parentElement]);
  }
  let lowest = 21;
  for (const [pair, [a, b, e]] of pairs) {
    const c = contrast(a, b);
    lowest = Math.min(lowest, c);
    if (c < 4.5) fail("contrast " + c.toFixed(2) + " of " + pair, e);
  }
  return {
    wrong, operations: operations.length, columns: columns.length, cells: cells.length, problems: all(".problem").length,
    names: operations.map((e) => e.textContent), zones: zones.map((e) => e.textContent),
    background: getComputedStyle(document.body).backgroundColor, contrast: lowest, injected: typeof window.hostileRan,
  };
})()
