// Pair after pair: an answer is stored before the next pair is shown, and none is lost when the network is.

import { Refused, get, post, release } from "./label.api.js";
import { forgetTime, look, secondsOf } from "./label.clock.js";
import { actionOf } from "./label.keys.js";
import * as store from "./label.store.js";
import { answeredSince, cancelUndo, undoAll, undoing, wantUndo } from "./label.undo.js";
import * as view from "./label.view.js";

const data = document.body.dataset;
const settings = { confirm: data.confirm === "true", guard: Number(data.guard) };
const at = (id) => document.getElementById(id);
const together = (...sentences) => sentences.filter(Boolean).join(" ");
const wait = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

const LONGEST_WAIT = 15; // seconds between two tries of sending
const MOST_HERE = 8; // pairs on this page, those included that were taken back
const POLLS = [2, 2, 2, 3, 5, 8, 10]; // seconds between two looks for a pair
const locked = (error) => error instanceof Refused && (error.status === 401 || error.status === 403);
const shutOut = (error) => `${error.message} What you answered is kept on this machine.`;
const RAN_OUT = "The time for that pair ran out.";

const queue = []; // the pairs on this page; the first is the one to be judged
let state = null;
let shown = null; // lease of the pair that is on screen
let appeared = 0;
let picked = null; // a choice that waits to be confirmed
let sending = null; // the answer that is on its way
let fetching = false;
let told = ""; // what went wrong, until the next pair is shown with it
let raw = store.prefersRaw();
let polls = 0;
let pollTimer = 0;
let beatTimer = 0;
let lastBeat = performance.now();
let wake = () => {};

// --- pairs ---------------------------------------------------------------------------------------------------------

const leases = () => queue.map((pair) => pair.lease);
const holding = (without) => [...new Set([...leases(), ...store.elsewhere()])].filter((lease) => lease !== without).slice(0, MOST_HERE);

/** The pairs that nobody judges when this page is left: a reload is given them again, but not soon what was taken back. */
function unjudged() {
  const kept = [...store.elsewhere(), ...store.unsent().map((record) => record.lease)];
  return queue.filter((pair) => !pair.was && !kept.includes(pair.lease)).map((pair) => pair.lease);
}

function adopt(pair, first = false) {
  if (!pair || leases().includes(pair.lease)) return;
  if (first) queue.unshift(pair);
  else queue.push(pair);
}

function discard(gone) {
  for (const lease of gone) forgetTime(lease);
  queue.splice(0, queue.length, ...queue.filter((pair) => !gone.includes(pair.lease)));
}

function learn(answer) {
  state = answer.state;
  view.showState(state);
}

/** Bring the screen in line with the queue. */
function show() {
  const [pair] = queue;
  store.claim(leases());
  if (pair && pair.lease !== shown) {
    shown = pair.lease;
    picked = null;
    view.showPair(pair, raw, told);
    told = "";
    appeared = performance.now();
    look(shown);
    polls = 0;
  } else if (!pair) {
    shown = null;
    look(null);
    rest();
  }
  title();
  plan();
}

function rest() {
  if (!state) return;
  const thanks = `Thank you: you labelled ${state.mine} ${state.mine === 1 ? "pair" : "pairs"}.`;
  if (state.phase === "ended") {
    view.showRest("This run is done", together(told, thanks), "", false);
    return;
  }
  const theirs = state.wanted > 0 && state.waiting > 0 && state.phase === "labelling";
  const more = theirs ? "The pairs that still wait are on other pages, were skipped, or want somebody else's answer." : "";
  const [first, second] = state.phase === "labelling" ? ["no pair waits for you", state.message] : state.message.split(/[;:] (.*)/);
  const text = together(told, second && `${view.sentence(second)}.`);
  view.showRest(view.sentence(first), text, more, state.phase !== "stopped");
}

function title() {
  const names = { ended: "Done", learning: "The model is learning", stopped: "Stopped" };
  let words = shown ? "Which answer is better?" : (names[state?.phase] ?? "Waiting for pairs");
  if (!at("banner").hidden) words = sending ? "Not stored yet" : "No connection";
  else if (shown && document.hidden) words = "● A pair waits for you";
  document.title = `${words} · boldly`;
}

/** Ask for a further pair, unless two are here. */
async function more() {
  if (fetching || queue.length > 1 || sending) return;
  fetching = true;
  try {
    for (let tries = 0; tries < 2; tries++) {
      const answer = await get("/api/pair", "holding", holding());
      learn(answer);
      connected();
      if (!answer.pair || !store.elsewhere().includes(answer.pair.lease)) {
        const first = queue.length === 0;
        adopt(answer.pair);
        if (first && answer.pair) view.announce(together(told, "A pair to judge."));
        fetching = false;
        show();
        if (first && answer.pair) more();
        return;
      }
    }
  } catch (error) {
    disconnected(error);
  }
  fetching = false;
  plan();
}

/** Look again later while there is no pair; keep the leases of those that are here. */
function plan() {
  clearTimeout(pollTimer);
  if (!queue.length && !sending) {
    pollTimer = setTimeout(more, POLLS[Math.min(polls++, POLLS.length - 1)] * 1000);
  }
  clearTimeout(beatTimer);
  if (queue.length) {
    const third = Math.min(...queue.map((pair) => pair.expires_in)) / 3;
    const gap = Math.max(1, at("banner").hidden ? third : Math.min(third, LONGEST_WAIT));
    const since = (performance.now() - lastBeat) / 1000;
    beatTimer = setTimeout(beat, Math.max(0.2, Math.min(gap, gap - since + 0.05)) * 1000);
  } else {
    lastBeat = performance.now();
  }
}

async function beat() {
  lastBeat = performance.now();
  if (document.hidden || !queue.length) return;
  const asked = leases();
  try {
    const answer = await post("/api/beat", { leases: asked });
    learn(answer);
    connected();
    const gone = answer.gone.filter((lease) => lease !== sending?.lease && leases().includes(lease));
    const lost = gone.includes(shown);
    discard(gone);
    if (lost) {
      told = together(told, RAN_OUT);
      view.announce(told);
    }
    show();
    if (gone.length) more();
  } catch (error) {
    disconnected(error);
    plan();
  }
}

// --- the server is there, or not ------------------------------------------------------------------------------------

function connected() {
  if (sending?.late) return;
  view.banner("");
  title();
}

function disconnected(error) {
  if (sending) return;
  const kept = shown ? "If you answer meanwhile, that is kept on this machine and sent by itself." : "Trying again by itself.";
  view.banner(locked(error) ? shutOut(error) : `${error.message} ${kept}`);
  title();
}

/** Say what became of what a key asked for, as it wasn't seen done; why nobody was there to do it stands in the banner. */
function inVain(error, what, key) {
  const refused = error instanceof Refused;
  if (!refused) disconnected(error);
  plan();
  view.hint(together(refused && error.message, `${what}: press ${key} again.`));
  view.announce(together(error.message, `${what}.`));
}

/** Wait before the same thing is sent again: longer each time, but not when there is a reason to try at once. */
async function pause(tries, error) {
  const seconds = Math.max(error.seconds ?? 0, locked(error) ? 2 * LONGEST_WAIT : Math.min(LONGEST_WAIT, 2 ** tries));
  const early = new Promise((done) => (wake = done));
  const kept = `${error.message} Your answer is kept on this machine and is sent again by itself.`;
  view.banner(locked(error) ? shutOut(error) : kept, () => wake());
  title();
  await Promise.race([wait(seconds * (0.8 + 0.4 * Math.random())), early]);
}

/** Send an answer until the server has stored it or said that it can't be. */
async function deliver(record) {
  sending = record;
  for (let tries = 0; ; tries++) {
    try {
      const answer = await post("/api/choice", { ...record, holding: holding(record.lease) });
      store.forget(record.key);
      learn(answer);
      return answer;
    } catch (error) {
      if (error instanceof Refused && !locked(error)) {
        store.forget(record.key);
        return { refused: error.message };
      }
      if (!sending.late) sending = { ...sending, late: true };
      await pause(tries, error);
    }
  }
}

const doneBy = (choice) => (choice === "skip" ? "Skipped." : `Stored: ${view.nameOf(choice)}.`);

/** Send answers one after another, take in what came of each, and take the last one back if it was a slip. */
async function handIn(records) {
  let stored = "";
  for (const record of records) {
    const answer = await deliver(record);
    discard([record.lease]);
    adopt(answer.pair);
    told = together(told, answer.refused && `An answer of yours wasn't taken: ${answer.refused}`);
    stored = answer.refused ? "" : doneBy(record.choice);
  }
  sending = null;
  view.saving(false);
  connected();
  if (stored) {
    view.clearDetails();
    view.hint(stored);
  }
  view.announce(together(told, stored, queue.length && "Next pair."));
  show();
  if (!stored) cancelUndo();
  await takeBack();
  more();
}

// --- what a person does ----------------------------------------------------------------------------------------------

function ready() {
  if (sending) {
    view.hint("One moment: your last answer isn't stored yet.");
    return false;
  }
  if (undoing()) {
    view.hint("One moment: your last answer is being taken back.");
    return false;
  }
  return shown !== null;
}

function choose(choice) {
  if (!ready()) return;
  if (performance.now() - appeared < settings.guard) {
    view.hint("That was before you could see this pair: press again.", true);
    return;
  }
  if (settings.confirm && choice !== "skip") {
    picked = choice;
    view.pick(choice);
    view.announce(`${view.nameOf(choice)}. Enter confirms.`);
    return;
  }
  send(choice);
}

function send(choice) {
  const { strength, ...details } = view.details();
  const record = { key: store.newKey(), lease: shown, choice, seconds: secondsOf(shown), ...details };
  if (strength && (choice === "left" || choice === "right")) record.strength = strength;
  picked = null;
  store.keep(record);
  view.pick(choice);
  view.saving(true);
  answeredSince();
  handIn([record]);
}

function undo() {
  wantUndo();
  if (sending) view.hint("That will be undone as soon as it is stored.");
  else takeBack();
}

async function takeBack() {
  try {
    await undoAll(() => shown, tookBack);
  } catch (error) {
    inVain(error, error instanceof Refused ? "Nothing was undone" : "Whether that was undone isn't known yet", "u");
  }
}

function tookBack(answer) {
  learn(answer);
  connected();
  if (!answer.pair) {
    view.hint("There is nothing to undo.");
    view.announce("There is nothing to undo.");
    return;
  }
  discard([answer.pair.lease]);
  adopt(answer.pair, true);
  release(queue.splice(MOST_HERE).map((pair) => pair.lease));
  view.announce(`Undone. The last pair again; you had said: ${view.nameOf(answer.pair.was ?? "skip")}.`);
  view.hint("Undone.");
  shown = null;
  show();
}

function openFlag() {
  if (!ready()) return;
  at("flagging").returnValue = "";
  at("flagging").showModal();
}

async function flag() {
  const note = at("flag-note").value.trim();
  try {
    learn(await post("/api/flag", { key: store.newKey(), lease: shown, note }));
    at("flag-note").value = "";
    view.hint("Flagged. The pair still waits for your choice.");
    view.announce("Flagged. The pair still waits for your choice.");
  } catch (error) {
    inVain(error, "It wasn't flagged", "f");
  }
}

function toggleRaw() {
  raw = !raw;
  store.preferRaw(raw);
  if (queue[0]) view.showTexts(queue[0], raw);
  view.announce(raw ? "As written." : "Formatted.");
}

const ACTS = {
  undo,
  flag: openFlag,
  help: () => at("keys").showModal(),
  raw: toggleRaw,
  confirm: () => picked && ready() && send(picked),
};

function act(action) {
  if (ACTS[action]) ACTS[action]();
  else choose(action);
}

document.addEventListener("keydown", (event) => {
  const open = document.querySelector("dialog[open]");
  if (open) {
    if (event.key === "?" && open.id === "keys") open.close();
    return;
  }
  const action = actionOf(event);
  if (action && !(action === "confirm" && !settings.confirm)) {
    event.preventDefault();
    if (!event.repeat) act(action);
  } else if (event.repeat && (event.key === "Enter" || event.key === " ") && event.target.closest("button")) {
    event.preventDefault();
  } else if (/^( |PageUp|PageDown|Home|End)$/.test(event.key) && !event.target.closest("button, input, a, summary, [data-scrolls]")) {
    if (!event.ctrlKey && !event.altKey && !event.metaKey && shown && view.scrollBoth(event.key, event.shiftKey)) event.preventDefault();
  }
});

// What a mouse presses takes no focus: it would answer Enter and Space in place of the page, on this pair and the next.
document.addEventListener("mousedown", (event) => {
  if (event.button !== 0 || !event.target.closest("body > :not(dialog) :is(button, a, summary)")) return;
  event.preventDefault();
  at(shown ? "question" : "rest-title").focus({ preventScroll: true });
});
for (const button of document.querySelectorAll("[data-choice]")) {
  const { choice } = button.dataset;
  // Enter on the button that is picked already (a click of no mouse) confirms it.
  button.addEventListener("click", ({ detail }) => act(detail === 0 && picked === choice ? "confirm" : choice));
}
for (const [id, action] of [["undo", "undo"], ["flag", "flag"], ["help", "help"], ["raw", "raw"], ["confirm", "confirm"]]) {
  at(id)?.addEventListener("click", () => act(action));
}
at("reason")?.addEventListener("keydown", (event) => {
  if (event.key === "Enter" || event.key === "Escape") at("question").focus();
});
at("flag-cancel").addEventListener("click", () => at("flagging").close());
at("flagging").addEventListener("close", () => at("flagging").returnValue === "flag" && flag());

// --- the tab itself ------------------------------------------------------------------------------------------------

document.addEventListener("visibilitychange", () => {
  title();
  if (document.hidden) return;
  polls = 0;
  wake();
  if (queue.length) beat();
  else more();
});
addEventListener("online", () => {
  wake();
  more();
});
addEventListener("pagehide", ({ persisted }) => {
  // A pair that is still to come would be the first that a reload is given, were those before it given back.
  const mine = persisted || fetching ? [] : unjudged();
  store.leave(mine);
  release(mine);
});
addEventListener("pageshow", (event) => event.persisted && location.reload());
setInterval(() => store.claim(leases()), 20000);

// What this tab gave back as it was loaded again would else be given to it first, and taken away by its own farewell.
await release(store.left());
const unsent = store.unsent();
if (unsent.length) handIn(unsent);
else more();
