// A line with its interval, by labels: an SVG of a few elements, in pixels of the place that it has.

const SPACE = "http://www.w3.org/2000/svg";
const LEFT = 52;
const RIGHT = 12;
const TOP = 10;
const BELOW = 26;

function draw(name, attributes, text = "") {
  const made = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

/** Some four round numbers from `low` to `high`. */
export function ticks(low, high) {
  const rough = (high - low) / 4 || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 2.5, 5, 10].find((times) => times * power >= rough);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i += 1) found.push(i * step || 0);
  return found;
}

/** Draw `found` into `plot`; `even` is a value to be seen as a dotted line, where there is one. */
export function points(plot, found, show, even) {
  const { width, height } = plot.getBoundingClientRect();
  const key = JSON.stringify([found, Math.round(width), Math.round(height)]);
  if (!width || plot.dataset.drawn === key) return;
  plot.dataset.drawn = key;
  plot.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const ends = found.flatMap((one) => [one.value, one.low ?? one.value, one.high ?? one.value]).concat(even === null ? [] : [even]);
  let [low, high] = [Math.min(...ends), Math.max(...ends)];
  const room = (high - low) * 0.06 || Math.abs(high) * 0.1 || 1;
  [low, high] = [low - room, high + room];
  const most = Math.max(...found.map((one) => one.labels), 1);
  const x = (labels) => LEFT + ((width - LEFT - RIGHT) * labels) / most;
  const y = (value) => TOP + ((height - TOP - BELOW) * (high - value)) / (high - low);
  const at = (one, value) => `${x(one.labels).toFixed(1)},${y(value).toFixed(1)}`;
  const made = [];
  for (const value of ticks(low, high)) {
    made.push(draw("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value) }));
    made.push(draw("text", { x: LEFT - 8, y: y(value) + 4, "text-anchor": "end" }, show(value)));
  }
  for (const labels of ticks(0, most).filter((value) => Number.isInteger(value))) {
    made.push(draw("text", { x: x(labels), y: height - 6, "text-anchor": labels ? "middle" : "start" }, labels.toLocaleString("en")));
  }
  if (even !== null) made.push(draw("line", { class: "even", x1: LEFT, x2: width - RIGHT, y1: y(even), y2: y(even) }));
  const upper = found.map((one) => at(one, one.high ?? one.value));
  const lower = found.map((one) => at(one, one.low ?? one.value)).reverse();
  made.push(draw("polygon", { class: "band", points: [...upper, ...lower].join(" ") }));
  made.push(draw("polyline", { class: "line", points: found.map((one) => at(one, one.value)).join(" ") }));
  if (found.length <= 40) for (const one of found) made.push(draw("circle", { class: "dot", cx: x(one.labels), cy: y(one.value), r: 4 }));
  plot.replaceChildren(...made);
}
