// Which key does what.

const ACTIONS = {
  1: "left",
  ArrowLeft: "left",
  2: "right",
  ArrowRight: "right",
  0: "tie",
  ArrowDown: "tie",
  9: "both_bad",
  b: "both_bad",
  s: "skip",
  u: "undo",
  Backspace: "undo",
  f: "flag",
  "?": "help",
  r: "raw",
  Enter: "confirm",
};

const TYPED = "input:not([type=radio]), textarea, select, [contenteditable]";

/** What a key press asks for, or undefined: no modifier, nobody typing, and arrows belong to what they move. */
export function actionOf(event) {
  const { target } = event;
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || event.keyCode === 229) return undefined;
  if (target.closest(TYPED)) return undefined;
  if (event.key.startsWith("Arrow") && moves(target, event.key)) return undefined;
  if (event.key === "Enter" && target.closest("button, a, summary")) return undefined;
  return ACTIONS[event.key] ?? ACTIONS[letterOf(event)];
}

/** The letter or digit of the key itself, where the layout has none on it (Cyrillic, or French digits). */
function letterOf({ key, code, shiftKey }) {
  if (shiftKey) return undefined;
  if (/^[A-Za-z]$/.test(key)) return key.toLowerCase();
  const digit = /^Digit(\d)$/.exec(code);
  if (digit) return digit[1];
  const letter = /^Key([A-Z])$/.exec(code);
  return letter && key > "~" && key.length === 1 ? letter[1].toLowerCase() : undefined;
}

function moves(target, key) {
  if (target.matches("input[type=radio]")) return true;
  const scroller = target.closest("[data-scrolls]");
  if (!scroller) return false;
  const sideways = key === "ArrowLeft" || key === "ArrowRight";
  return sideways ? scroller.scrollWidth > scroller.clientWidth : scroller.scrollHeight > scroller.clientHeight;
}
