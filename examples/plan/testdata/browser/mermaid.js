// Draws pictures with Mermaid as GitHub does, and returns what is in each drawing.
mermaid.initialize({ startOnLoad: false, securityLevel: "strict" });

const lines = (element) => {
  element.querySelectorAll("br").forEach((br) => br.replaceWith("\n"));
  return element.textContent.replaceAll("\u00a0", " ");
};

async function draw(pictures) {
  const drawings = [];
  for (const [i, text] of pictures.entries()) {
    try {
      const { svg } = await mermaid.render("picture" + i, text); // it parses first
      const div = document.createElement("div");
      div.innerHTML = svg;
      document.body.append(div);
      const all = (selector) => [...div.querySelectorAll(selector)];
      const unruly = all("script, img, iframe, a, i, object, image, .katex, math, [onerror], [onload], [onclick]")[0];
      if (div.querySelector(".error-icon") || div.textContent.includes("Maximum text size in diagram exceeded")) throw new Error(div.textContent);
      drawings.push({
        nodes: all(".node .nodeLabel").map((e) => lines(e).split("\n")),
        labels: all(".edgeLabels .edgeLabel .edgeLabel, .edgeLabels span.edgeLabel").map(lines),
        titles: all(".cluster .nodeLabel, .cluster-label .nodeLabel").map(lines).filter((t, at, ts) => ts.indexOf(t) === at),
        arrows: all("path.flowchart-link").length,
        unruly: unruly ? unruly.outerHTML.slice(0, 200) : typeof window.hostileRan !== "undefined" ? "run a script" : "",
      });
      div.remove();
    } catch (e) {
      drawings.push({ error: String(e).slice(0, 500) || "error" });
    }
  }
  return drawings;
}
