"use strict";
(() => {
  const plots = JSON.parse(document.getElementById("plots").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const narrow = matchMedia("(max-width: 40rem)");
  const printed = matchMedia("print");
  // A browser that prints does not say how wide its paper is: narrow enough for A4 and for Letter, in CSS pixels.
  const PAPER = 640;

  const themed = (layout) => {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const axis = (given) => ({
      ...given,
      gridcolor: colour("--grid"),
      linecolor: colour("--rule"),
      title: { standoff: 8, ...(given && given.title), font: { size: 12, color: colour("--quiet") } },
    });
    return {
      height: narrow.matches ? 300 : 340,
      ...(printed.matches ? { width: PAPER } : { autosize: true }),
      ...layout,
      xaxis: axis(layout.xaxis),
      yaxis: { ...axis(layout.yaxis), title: {} },
      margin: { t: 12, r: 16, b: 44, l: 52 },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: "system-ui, sans-serif", size: 12, color: colour("--ink") },
      hoverlabel: { bgcolor: colour("--page"), bordercolor: colour("--rule"), font: { color: colour("--ink") } },
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", bgcolor: "rgba(0,0,0,0)" },
      dragmode: false,
    };
  };

  const elements = [...document.querySelectorAll("[data-plot]")];
  const draw = () => {
    for (const element of elements) {
      const { data, layout } = plots[element.dataset.plot];
      Plotly.react(element, data, themed(layout), { displayModeBar: false, responsive: true });
    }
  };
  for (const element of elements) element.replaceChildren();
  draw();
  for (const query of [dark, narrow, printed]) query.addEventListener("change", draw);
})();
