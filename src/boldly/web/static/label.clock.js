// How long somebody looked at each pair: time in a hidden tab doesn't count.

const looked = new Map();
let lease = null;
let since = null;

function settle() {
  if (lease !== null && since !== null) {
    looked.set(lease, (looked.get(lease) ?? 0) + performance.now() - since);
  }
  since = document.hidden || lease === null ? null : performance.now();
}

document.addEventListener("visibilitychange", settle);

/** The pair of `shown` is on the page from now on, or none is (null). */
export function look(shown) {
  settle();
  lease = shown;
  settle();
}

/** Seconds that the pair of `shown` was looked at until now. */
export function secondsOf(shown) {
  settle();
  return Math.min(86400, Math.round(looked.get(shown) ?? 0) / 1000);
}

export const forgetTime = (shown) => looked.delete(shown);
