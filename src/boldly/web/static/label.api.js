// What the page asks of its server.

const PATIENCE = 15000;
const AWAY = "The server can't be reached: this page isn't being served at the moment, or you are offline.";

/** The server understood and said no: another try would be told the same. */
export class Refused extends Error {
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }
}

/** Nobody answered, or something in between: the same request may be sent again. */
export class Unreachable extends Error {
  constructor(sentence, seconds) {
    super(sentence);
    this.seconds = seconds;
  }
}

export const get = (path, name, values) => {
  const query = new URLSearchParams(values.map((value) => [name, value]));
  return ask(values.length ? `${path}?${query}` : path, {});
};

export const post = (path, body, options = {}) =>
  ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), ...options });

/** Give pairs back, be it the last thing that the page does: those that can't be, expire. */
export const release = async (leases) => {
  if (leases.length) await post("/api/release", { leases }, { keepalive: true }).catch(() => {});
};

async function ask(path, options) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), PATIENCE);
  let response;
  let answer;
  try {
    response = await fetch(path, {
      credentials: "same-origin",
      cache: "no-store",
      redirect: "error",
      signal: stop.signal,
      ...options,
    });
    answer = await response.json();
  } catch {
    if (!response || response.ok) throw new Unreachable(AWAY, 0);
  } finally {
    clearTimeout(timer);
  }
  if (response.ok) return answer;
  const { status } = response;
  const sentence = sentenceOf(answer, status);
  if (status >= 500 || status === 408 || status === 429) {
    throw new Unreachable(sentence, Number(response.headers.get("Retry-After")) || 0);
  }
  throw new Refused(status, sentence);
}

function sentenceOf(answer, status) {
  const said = answer && typeof answer.error === "string" ? answer.error : "";
  return said ? said[0].toUpperCase() + said.slice(1) : `The server answered ${status}.`;
}
