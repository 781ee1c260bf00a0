// What is on the page. Only `render` reads HTML, which the server made and cleaned.

const at = (id) => document.getElementById(id);
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const choices = [...document.querySelectorAll("[data-choice]")];
const NAMES = { left: "Answer 1", right: "Answer 2", tie: "Tie", both_bad: "Both bad", skip: "Skipped" };

export const nameOf = (choice) => NAMES[choice];

function say(id, text) {
  const element = at(id);
  element.textContent = text;
  element.hidden = text === "";
}

/** Tell somebody who listens to the page. */
export function announce(text) {
  const live = at("live");
  live.textContent = "";
  requestAnimationFrame(() => (live.textContent = text));
}

/** The one place where text becomes elements: `html` is a field of that name from the server. */
function render(element, html) {
  element.innerHTML = html;
}

function written(pieces) {
  const block = document.createElement("div");
  block.className = "written";
  block.dir = "auto";
  for (const [text, name] of pieces) {
    if (!name) {
      block.append(text);
      continue;
    }
    const hidden = document.createElement("span");
    hidden.className = "hidden";
    hidden.title = name;
    hidden.textContent = text;
    block.append(hidden);
  }
  return block;
}

function fill(element, text, raw) {
  if (!text.raw.length) {
    const nothing = document.createElement("p");
    nothing.className = "nothing";
    nothing.textContent = "An empty answer.";
    element.replaceChildren(nothing);
  } else if (raw || text.html === "") {
    element.replaceChildren(written(text.raw));
  } else {
    render(element, text.html);
  }
}

function messageOf(message, raw, alone) {
  const block = document.createElement("div");
  block.className = "message";
  const role = document.createElement("p");
  role.className = alone ? "role heard" : "role";
  role.textContent = message.role;
  const body = document.createElement("div");
  fill(body, message, raw);
  block.append(role, ...body.childNodes);
  return block;
}

/** What a listener hears of the place that they scroll. */
function scrolled(element) {
  if (element.matches("pre")) return "Code";
  return element.matches(".wide") ? "Table" : element.parentElement.querySelector("h2").textContent;
}

/** What is longer than its place can be reached and scrolled by keys. */
function reachable() {
  for (const element of document.querySelectorAll(".pair .text, .pair pre, .pair .wide")) {
    const scrolls =
      element.scrollHeight > element.clientHeight + 1 || element.scrollWidth > element.clientWidth + 1;
    element.toggleAttribute("data-scrolls", scrolls);
    if (scrolls) {
      element.tabIndex = 0;
      element.setAttribute("role", "group");
      element.setAttribute("aria-label", scrolled(element));
    } else {
      for (const name of ["tabindex", "role", "aria-label"]) element.removeAttribute(name);
    }
  }
}
new ResizeObserver(reachable).observe(document.body);

const sideOf = (side) => at(side).querySelector(".text");

/** Show the texts of a pair, formatted or as they were written. */
export function showTexts(pair, raw) {
  at("prompt").replaceChildren(...pair.prompt.map((message) => messageOf(message, raw, pair.prompt.length === 1)));
  fill(sideOf("left"), pair.left, raw);
  fill(sideOf("right"), pair.right, raw);
  at("raw").setAttribute("aria-pressed", String(raw));
  reachable();
}

/** Show a pair from its beginning. */
export function showPair(pair, raw, note) {
  at("rest").hidden = true;
  at("message").hidden = false;
  for (const id of ["pair", "choice", "skip", "flag"]) at(id).hidden = false;
  showTexts(pair, raw);
  for (const element of document.querySelectorAll(".pair .text")) element.scrollTop = 0;
  scrollTo(0, 0);
  const was = pair.was ? `You had said: ${nameOf(pair.was)}.` : "";
  say("note", note && was ? `${note} ${was}` : note || was);
  pick(null);
  for (const button of choices) button.classList.toggle("was", button.dataset.choice === pair.was);
  if (!at("choice").contains(document.activeElement)) at("question").focus({ preventScroll: true });
  if (!calm.matches) at("pair").animate([{ opacity: 0.25 }, { opacity: 1 }], { duration: 160, easing: "ease-out" });
}

/** Show that there is no pair, and why. */
export function showRest(title, text, more, busy) {
  const before = at("rest").hidden || at("rest-title").textContent !== title;
  for (const id of ["pair", "choice", "skip", "flag"]) at(id).hidden = true;
  at("rest").hidden = false;
  at("message").hidden = true;
  say("rest-title", title);
  say("rest-text", text);
  say("rest-more", more);
  at("breath").hidden = !busy;
  if (!before) return;
  announce(`${title}. ${text}`);
  if (!document.querySelector("dialog[open]")) at("rest-title").focus({ preventScroll: true });
}

/** Mark a choice that isn't stored yet. */
export function pick(choice) {
  for (const button of choices) button.setAttribute("aria-pressed", String(button.dataset.choice === choice));
  for (const side of ["left", "right"]) at(side).classList.toggle("picked", side === choice);
  const confirm = at("confirm");
  if (confirm) confirm.disabled = choice === null;
}

export const saving = (busy) => document.body.classList.toggle("saving", busy);

let hintTimer = 0;

/** Say something small for a while. */
export function hint(text, early = false) {
  clearTimeout(hintTimer);
  at("hint").textContent = text;
  document.body.classList.toggle("early", early);
  hintTimer = setTimeout(() => {
    at("hint").textContent = "";
    document.body.classList.remove("early");
  }, 2500);
}

/** Say something that stays until it is no longer so (""). */
export function banner(text, again = null) {
  const element = at("banner");
  const [words, button] = element.children;
  if (words.textContent !== text) words.textContent = text;
  button.hidden = again === null;
  button.onclick = again;
  element.hidden = text === "";
}

const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

function soon(seconds) {
  if (seconds < 60) return "less than a minute";
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `about ${plural(minutes, "minute")}` : `about ${plural(Math.round(minutes / 60), "hour")}`;
}

export const sentence = (text) => (text ? `${text[0].toUpperCase()}${text.slice(1)}` : "");

/** Show how far the run is. */
export function showState(state) {
  at("mine").textContent = `${plural(state.mine, "answer")} from you`;
  const all = state.budget === null ? plural(state.labels, "label") : `${state.labels} of ${plural(state.budget, "label")}`;
  at("all").textContent = `· ${all}`;
  const bar = at("bar");
  bar.hidden = state.budget === null;
  if (state.budget !== null) {
    bar.max = Math.max(1, state.budget);
    bar.value = Math.min(state.labels, state.budget);
  }
  const eta = state.eta_seconds === null || state.phase !== "labelling" ? "" : `, ${soon(state.eta_seconds)} at this pace`;
  at("message").textContent = sentence(state.message) + eta;
}

/** What was typed or set beside the choice. */
export function details() {
  const reason = at("reason") ? at("reason").value.trim() : "";
  const strength = document.querySelector("#strength input:checked");
  return { ...(reason ? { reason } : {}), ...(strength ? { strength: strength.value } : {}) };
}

export function clearDetails() {
  if (at("reason")) at("reason").value = "";
  for (const input of document.querySelectorAll("#strength input")) input.checked = false;
}

/** Scroll both answers as one; false where neither is longer than its place. */
export function scrollBoth(key, back) {
  const sides = [sideOf("left"), sideOf("right")].filter((side) => side.scrollHeight > side.clientHeight + 1);
  for (const side of sides) {
    const page = side.clientHeight * 0.85;
    const places = { Home: 0, End: side.scrollHeight, PageUp: side.scrollTop - page, PageDown: side.scrollTop + page };
    const top = places[key] ?? (back ? places.PageUp : places.PageDown);
    side.scrollTo({ top, behavior: calm.matches ? "auto" : "smooth" });
  }
  return sides.length > 0;
}
