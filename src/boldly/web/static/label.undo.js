// Taking answers back: one for each press, one after another, and none twice where a reply was lost.

import { Refused, post } from "./label.api.js";
import { newKey } from "./label.store.js";

let presses = 0;
let busy = false;
let key = null; // of the undoing that is asked for, kept while it isn't known what came of it
let answered = false; // since that was asked for

/** Whether an answer is being taken back. */
export const undoing = () => busy;

/** Take one more back; `cancelUndo` where that turns out to be no answer's. */
export const wantUndo = () => presses++;
export const cancelUndo = () => (presses = 0);

export const answeredSince = () => (answered = true);

/** Take back an answer for each press, and hand each reply to `took`; raises what `post` raises. */
export async function undoAll(shown, took) {
  if (busy) return;
  busy = true;
  try {
    for (; presses > 0; presses--) {
      const answer = await undo(shown);
      took(answer);
      if (!answer.pair) break;
    }
  } finally {
    presses = 0;
    busy = false;
  }
}

async function undo(shown) {
  if (key === null) {
    key = newKey();
    answered = false;
  }
  try {
    const answer = await post("/api/undo", { key });
    // What was done under a kept key has been seen or answered since: this press is for a later answer.
    const old = answered && (!answer.pair || answer.pair.lease === shown());
    key = null;
    return old ? undo(shown) : answer;
  } catch (error) {
    if (error instanceof Refused) key = null;
    throw error;
  }
}
