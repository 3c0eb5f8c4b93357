"use strict";
(() => {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const inked = (layout) => {
    const own = { ...layout, font: { ...layout.font, color: colour("--ink"), family: "system-ui, sans-serif" } };
    own.uirevision = "kept"; // a zoom and hidden traces, when a figure is drawn again
    own.hoverlabel = { bgcolor: colour("--raised"), font: { color: colour("--ink") } };
    for (const axis of Object.keys(own).filter((key) => /^[xy]axis\d*$/.test(key))) {
      own[axis] = { ...own[axis], gridcolor: colour("--line"), zerolinecolor: colour("--line"), linecolor: colour("--line") };
    }
    return own;
  };
  const draw = () => {
    for (const place of document.querySelectorAll("[data-figure]")) {
      const { data, layout } = JSON.parse(document.getElementById(place.dataset.figure).textContent);
      Plotly.react(place, data, inked(layout), { responsive: true, displaylogo: false });
    }
  };
  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  document.addEventListener("renewed", draw);
})();
