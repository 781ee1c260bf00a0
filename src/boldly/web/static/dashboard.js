// The owner's dashboard: asks every few seconds, and shows what it is told as text and as one line.

import { points } from "./dashboard.plot.js";

const EVERY = 3; // seconds between two looks
const LONGEST = 30; // seconds between two looks where nobody answers

const at = (id) => document.getElementById(id);
const wait = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));
const count = (value) => value.toLocaleString("en");
const percent = (share) => `${Math.round(100 * share)}%`;
const number = (value) => (Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2));
const money = (value) => value.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: value && Math.abs(value) < 1 ? 4 : 2 });

const ACCOUNTS = { training: "training", evaluation: "held-out evaluation", consistency: "checks of labels" };
const WAYS = { learning: "The model is learning.", labelling: "The model waits for labels.", ended: "The run has ended.", stopped: "Nobody trains at the moment." };
const COMPARING = { labelling: "Pairs wait to be judged.", ended: "Every pair is judged." };

/** An element with text, and perhaps a quiet line below it; nothing that is told is ever read as HTML. */
function element(name, text = "", { note = "", kind = "" } = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  if (kind) made.className = kind;
  if (note) made.append(element("span", note, { kind: "small" }));
  return made;
}

function range(interval, show) {
  if (!interval) return "";
  const end = (value, open) => (value === null ? open : show(value));
  return `${end(interval.low, "−∞")} to ${end(interval.high, "∞")}`;
}

function ago(time) {
  const seconds = Math.max(0, (Date.now() - Date.parse(time)) / 1000);
  if (!time || Number.isNaN(seconds)) return "";
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return new Date(time).toISOString().slice(0, 10);
}

/** Put `children` into a place, unless they are what it holds: what somebody selects or reads there stays. */
function fill(place, children) {
  const same = place.childNodes.length === children.length && children.every((one, i) => one.isEqualNode(place.childNodes[i]));
  if (!same) place.replaceChildren(...children);
}

function table(place, columns, rows) {
  const head = document.createElement("thead");
  const body = document.createElement("tbody");
  const titles = document.createElement("tr");
  for (const title of columns) {
    const cell = element("th", title);
    cell.scope = "col";
    titles.append(cell);
  }
  head.append(titles);
  for (const [first, ...rest] of rows) {
    const row = document.createElement("tr");
    first.scope = "row";
    row.append(first, ...rest);
    body.append(row);
  }
  fill(place, [head, body]);
}

// --- how far it is -------------------------------------------------------------------------------------------------

const spends = (account) => account.money > 0 || account.limit !== null;

function beside(account) {
  const parts = account.budget === null ? [] : [`of ${count(account.budget)}`];
  if (spends(account)) parts.push(`money ${money(account.money)}`);
  return parts.join(", ");
}

function showFigures(told) {
  const [first, ...others] = told.accounts; // the first is one that people answer
  const here = told.people.filter((one) => one.here).map((one) => one.name);
  const trains = first.name === "training";
  const shown = [
    [trains || told.compares ? "labels" : ACCOUNTS[first.name], count(first.labels), first.budget === null ? "" : `of ${count(first.budget)}`],
    ["waiting", count(told.waiting), trains && told.wanted && told.phase !== "ended" ? `the model trains after ${count(told.wanted)} more` : ""],
    ...(spends(first) ? [[told.compares ? "money" : `money for ${ACCOUNTS[first.name]}`, money(first.money), first.limit === null ? "" : `of ${money(first.limit)}`]] : []),
    ["labelling now", count(here.length), here.slice(0, 3).join(", ") + (here.length > 3 ? " and others" : "")],
    ...others.map((one) => [ACCOUNTS[one.name], count(one.labels), beside(one)]),
  ];
  fill(
    at("figures"),
    shown.map(([title, value, note]) => {
      const group = document.createElement("div");
      const figure = document.createElement("dd");
      figure.append(element("span", value, { kind: "value" }));
      if (note) figure.append(element("span", note, { kind: "small" }));
      group.append(element("dt", title), figure);
      return group;
    }),
  );
  const bar = at("bar");
  bar.hidden = !first.budget;
  if (first.budget) {
    bar.max = first.budget;
    bar.value = first.labels;
  }
  const words = (told.compares ? COMPARING : WAYS)[told.phase] ?? "";
  if (at("doing").textContent !== words) at("doing").textContent = words;
  document.title = `${count(first.labels)}${first.budget === null ? "" : ` of ${count(first.budget)}`} labels · boldly`;
}

function showHint({ finding, words }) {
  const place = at("stop");
  place.hidden = !words;
  place.className = `stop ${finding.replace(" ", "-")}`;
  if (at("hint").textContent !== words) at("hint").textContent = words;
}

// --- what it learned -----------------------------------------------------------------------------------------------

function showCurve({ kind, points: found, note }) {
  at("learned").hidden = !found.length && !note;
  at("plot").toggleAttribute("hidden", !found.length); // SVG has no property for it
  at("curve").closest("details").hidden = !found.length;
  if (!found.length) {
    at("learned-title").textContent = "On held-out prompts";
    at("plot-words").textContent = note;
    return;
  }
  const show = kind === "reward" ? number : percent;
  const last = found[found.length - 1];
  at("learned-title").textContent = kind === "reward" ? "Reward on held-out prompts" : "Win rate against the base model, on held-out prompts";
  at("plot-words").textContent = `By labels bought, with 95% intervals. Now ${show(last.value)} (${range(last, show)}) after ${count(last.labels)} labels.`;
  points(at("plot"), found, show, kind === "reward" ? null : 0.5);
  table(
    at("curve"),
    ["labels", kind, "95% interval"],
    found.map((one) => [element("th", count(one.labels)), element("td", show(one.value)), element("td", range(one, show))]),
  );
}

let curve = null;
new ResizeObserver(() => curve && showCurve(curve)).observe(at("plot"));

// --- people --------------------------------------------------------------------------------------------------------

function share(interval, { fair = null, enough = 0 } = {}) {
  if (!interval) return element("td", "–");
  const off = fair !== null && interval.n >= enough && (interval.low > fair || interval.high < fair);
  return element("td", percent(interval.value), { note: `${range(interval, percent)}, n ${count(interval.n)}`, kind: off ? "doubt" : "" });
}

function personRow(one) {
  const name = element("th");
  name.append(element("span", one.name, { kind: one.here ? "here" : "" }));
  const says = [one.owner ? "owner" : "", one.revoked ? "link withdrawn" : "", one.here ? "labelling now" : ago(one.last)];
  name.append(element("span", says.filter(Boolean).join(" · "), { kind: "small" }));
  const low = one.planted && one.planted.n >= 8 && one.planted.high < 0.75;
  const planted = share(one.planted);
  if (low) planted.className = "doubt";
  const itself = share(one.itself);
  if (one.itself && one.itself.kappa !== null) itself.append(element("span", `kappa ${one.itself.kappa.toFixed(2)}`, { kind: "small" }));
  return [
    name,
    element("td", count(one.labels), { note: one.kept ? `${count(one.kept)} more kept` : "" }),
    element("td", one.seconds ? `${number(one.seconds[1])} s` : "–", { note: one.seconds ? `${number(one.seconds[0])} to ${number(one.seconds[2])}` : "" }),
    element("td", one.per_hour === null ? "–" : count(Math.round(one.per_hour))),
    share(one.left, { fair: 0.5, enough: 32 }),
    itself,
    planted,
    element("td", count(one.skips)),
    element("td", count(one.undos)),
    element("td", count(one.flags)),
    element("td", count(one.quick)),
  ];
}

function showPeople(told) {
  table(
    at("people"),
    ["name", "labels", "median time", "an hour", "for the left side", "same when asked again", "known answers right", "skips", "undos", "flags", "too quick"],
    told.people.map(personRow),
  );
  const { between, alpha, raters } = told.agreement;
  const words = [];
  if (alpha !== null) words.push(`Over ${count(raters)} people who judged the same pairs, Krippendorff's alpha is ${alpha.toFixed(2)}: 1 is full agreement, 0 what chance would give.`);
  else if (told.people.length > 1) words.push("No pair was judged by two people, so nothing here says how far they agree.");
  if (told.people.some((one) => one.left)) words.push("Without a lean half of the choices go to the left side, whichever answer stands there.");
  at("apart").textContent = words.join(" ");
  at("together").hidden = !between.length;
  table(
    at("between"),
    ["one", "other", "agree in", "kappa"],
    between.map((one) => [element("th", one.first), element("td", one.second), share(one), element("td", one.kappa === null ? "–" : one.kappa.toFixed(2))]),
  );
}

// --- what happened -------------------------------------------------------------------------------------------------

function event(time, words, about) {
  const made = document.createElement("li");
  made.append(element("span", ago(time), { kind: "when" }), element("span", words), element("span", about, { kind: "about" }));
  return made;
}

function showEvents({ flags, corrections }) {
  at("flagged").hidden = !flags.length;
  fill(at("flags"), flags.map((one) => event(one.time, `${one.annotator}: ${one.note || "flagged, without a word"}`, `query ${one.query}`)));
  at("corrected").hidden = !corrections.learned;
  at("corrected-words").textContent = `${count(corrections.learned)} of ${count(corrections.all)} changed verdicts had been trained on before. The next round learns from what counts now.`;
  fill(
    at("corrections"),
    corrections.newest.map((one) => {
      const iterates = one.learned.length > 4 ? `${one.learned.slice(0, 4).join(", ")} and ${one.learned.length - 4} more` : one.learned.join(", ");
      const now = one.verdict === "withdrawn" ? "taken back" : `${one.source}: now ${one.verdict}`;
      return event(one.time, `${now}; iterate ${iterates} had learned from what was said before`, `query ${one.query}`);
    }),
  );
}

// --- looking -------------------------------------------------------------------------------------------------------

function say(words) {
  at("banner").hidden = !words;
  at("banner").firstElementChild.textContent = words;
  at("all").classList.toggle("stale", Boolean(words));
}

async function look() {
  let answer;
  try {
    answer = await fetch("/api/dashboard", { cache: "no-store", headers: { Accept: "application/json" } });
  } catch {
    return "The page is not answered at the moment; what is shown is from before.";
  }
  if (answer.status === 401 || answer.status === 403) return "Your link doesn't open this page any more. Ask whoever runs `boldly label` for a new link.";
  if (!answer.ok) return "The page is not answered at the moment; what is shown is from before.";
  const told = await answer.json();
  showFigures(told);
  showHint(told.hint);
  curve = told.reward;
  showCurve(curve);
  showPeople(told);
  showEvents(told);
  at("all").removeAttribute("aria-busy");
  return "";
}

let pause = EVERY;
for (;;) {
  if (!document.hidden || at("all").hasAttribute("aria-busy")) {
    const words = await look();
    say(words);
    pause = words ? Math.min(LONGEST, 2 * pause) : EVERY;
  }
  await wait(pause);
}
