"use strict";
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const bright = { "#0072B2": "#3d9be9", "#56B4E9": "#a5ddff", "#009E73": "#1fbf92", "#999999": "#b5b5b5" };
  const lit = (value) => {
    if (typeof value === "string") return bright[value] || value;
    if (Array.isArray(value)) return value.map(lit);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, lit(item)]));
  };
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const inked = (layout) => {
    const own = { ...layout, font: { ...layout.font, color: colour("--ink"), family: "system-ui, sans-serif" } };
    own.uirevision = "kept"; // a zoom and hidden traces, when a figure is drawn again
    own.hoverlabel = { bgcolor: colour("--raised"), font: { color: colour("--ink") } };
    const onPaper = (note) => (note.bgcolor ? { ...note, bgcolor: colour("--paper") } : note);
    if (own.annotations) own.annotations = own.annotations.map(onPaper);
    for (const axis of Object.keys(own).filter((key) => /^[xy]axis\d*$/.test(key))) {
      own[axis] = { ...own[axis], gridcolor: colour("--line"), zerolinecolor: colour("--line"), linecolor: colour("--line") };
    }
    return own;
  };
  const buttons = matchMedia("(hover: hover)").matches ? "hover" : false;
  const draw = () => {
    for (const place of document.querySelectorAll("[data-figure]")) {
      const { data, layout } = JSON.parse(document.getElementById(place.dataset.figure).textContent);
      const shown = dark.matches ? lit(data) : data;
      Plotly.react(place, shown, inked(layout), { responsive: true, displaylogo: false, displayModeBar: buttons });
    }
  };
  draw();
  dark.addEventListener("change", draw);
  document.addEventListener("renewed", draw);
})();
