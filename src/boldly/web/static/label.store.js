// What this browser keeps: answers that nobody acknowledged yet, which tab shows which pair, and how text is shown.

const { run, name } = document.body.dataset;
// By the run's key: a run elsewhere may have the same path, and come to the same address.
const HERE = `boldly:${run}:${name}:`;
const OUTBOX = `${HERE}answer:`;
const TABS = `${HERE}tabs`;
const LEFT = `${HERE}left`;
const RAW = "boldly:raw";
const ALIVE = 90000; // A hidden tab may be woken once a minute only.

/** A key of one act. Plain http pages of other hosts have no `randomUUID`. */
export function newKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const TAB = newKey();

/** `localStorage`, or memory where a browser refuses it. */
const kept = (() => {
  try {
    localStorage.setItem(`${HERE}try`, "");
    localStorage.removeItem(`${HERE}try`);
    return localStorage;
  } catch {
    const memory = new Map();
    return {
      getItem: (key) => memory.get(key) ?? null,
      setItem: (key, value) => memory.set(key, value),
      removeItem: (key) => memory.delete(key),
      key: (place) => [...memory.keys()][place] ?? null,
      get length() {
        return memory.size;
      },
    };
  }
})();

function read(key) {
  try {
    return JSON.parse(kept.getItem(key));
  } catch {
    return null;
  }
}

function write(key, value) {
  try {
    kept.setItem(key, JSON.stringify(value));
  } catch {
    // A full store: the page still holds it.
  }
}

/** Keep an answer until `forget`. */
export const keep = (record) => write(OUTBOX + record.key, { ...record, at: Date.now() });

export const forget = (key) => kept.removeItem(OUTBOX + key);

/** Answers that were never acknowledged, oldest first. */
export function unsent() {
  const keys = Array.from({ length: kept.length }, (_, place) => kept.key(place));
  const records = keys.filter((key) => key && key.startsWith(OUTBOX)).map(read);
  return records
    .filter((record) => record && record.key && record.lease)
    .sort((one, other) => one.at - other.at)
    .map(({ at, ...record }) => record);
}

function tabs() {
  const known = Object.entries(read(TABS) ?? {});
  return Object.fromEntries(known.filter(([tab, { seen }]) => tab === TAB || Math.abs(Date.now() - seen) < ALIVE));
}

/** Tell the other tabs of this browser which pairs are on this page. */
export const claim = (leases) => write(TABS, { ...tabs(), [TAB]: { leases, seen: Date.now() } });

/** This tab goes, and gives pairs back. */
export function leave(leases) {
  const { [TAB]: mine, ...rest } = tabs();
  write(TABS, rest);
  write(LEFT, leases);
}

/** What the last tab that went gave back, once: its farewell may still be on the way. */
export function left() {
  const leases = read(LEFT) ?? [];
  kept.removeItem(LEFT);
  return leases;
}

/** The pairs on the pages of other tabs. */
export const elsewhere = () =>
  Object.entries(tabs()).flatMap(([tab, { leases }]) => (tab === TAB ? [] : leases));

export const prefersRaw = () => kept.getItem(RAW) === "true";
export const preferRaw = (raw) => write(RAW, raw);
