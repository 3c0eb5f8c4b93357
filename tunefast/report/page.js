"use strict";
(() => {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const inked = (layout) => {
    const own = { ...layout, font: { ...layout.font, color: colour("--ink"), family: "system-ui, sans-serif" } };
    own.hoverlabel = { bgcolor: colour("--raised"), font: { color: colour("--ink") } };
    for (const axis of Object.keys(own).filter((key) => /^[xy]axis\d*$/.test(key))) {
      own[axis] = { ...own[axis], gridcolor: colour("--line"), zerolinecolor: colour("--line"), linecolor: colour("--line") };
    }
    return own;
  };
  const figures = [...document.querySelectorAll("[data-figure]")].map((place) => {
    return { place, ...JSON.parse(document.getElementById(place.dataset.figure).textContent) };
  });
  const draw = () => {
    for (const { place, data, layout } of figures) {
      Plotly.react(place, data, inked(layout), { responsive: true, displaylogo: false });
    }
  };
  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
})();
