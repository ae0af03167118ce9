/**
 * Turns the bytes of a terminal into keys.
 *
 * @module
 */

export type KeyName =
  | "up"
  | "down"
  | "left"
  | "right"
  | "home"
  | "end"
  | "page_up"
  | "page_down"
  | "enter"
  | "escape"
  | "tab"
  | "back_tab"
  | "backspace"
  | "delete"
  | "interrupt"
  | "suspend"
  | "redraw"
  | "clear";

export type Key =
  | { readonly kind: "char"; readonly text: string }
  | { readonly kind: "named"; readonly name: KeyName }
  | Mouse;

/** A key of the keyboard. */
export type PressedKey = Exclude<Key, Mouse>;

/** A press of the mouse at a cell, both counted from 0. */
export interface Mouse {
  readonly kind: "mouse";
  readonly button: "left" | "wheel_up" | "wheel_down";
  readonly row: number;
  readonly column: number;
}

interface ParsedKeys {
  readonly keys: readonly Key[];
  /** Bytes of a character or sequence that has not ended yet. */
  readonly rest: Uint8Array;
}

/** An unfinished sequence is dropped at this length. */
const REST_MAX = 32;

const CONTROL: Readonly<Record<number, KeyName>> = {
  0x03: "interrupt",
  0x08: "backspace",
  0x09: "tab",
  0x0a: "enter",
  0x0c: "redraw",
  0x0d: "enter",
  0x15: "clear",
  0x1a: "suspend",
  0x7f: "backspace",
};

const FINAL: Readonly<Record<string, KeyName>> = {
  A: "up",
  B: "down",
  C: "right",
  D: "left",
  H: "home",
  F: "end",
  Z: "back_tab",
};

const TILDE: Readonly<Record<string, KeyName>> = {
  "1": "home",
  "3": "delete",
  "4": "end",
  "5": "page_up",
  "6": "page_down",
  "7": "home",
  "8": "end",
};

/** Reads `bytes` after what an earlier call left over. */
export function parseKeys(bytes: Uint8Array, left: Uint8Array): ParsedKeys {
  const all = new Uint8Array(left.length + bytes.length);
  all.set(left);
  all.set(bytes, left.length);
  const keys: Key[] = [];
  let at = 0;
  while (at < all.length) {
    const step = readKey(all, at);
    if (step === null) break;
    if (step.key !== null) keys.push(step.key);
    at = step.next;
  }
  const rest = all.subarray(at);
  return { keys, rest: rest.length > REST_MAX ? new Uint8Array() : rest };
}

interface Step {
  readonly key: Key | null;
  readonly next: number;
}

/** Returns the key at `at`; null if more bytes must come. */
function readKey(all: Uint8Array, at: number): Step | null {
  const byte = all[at] ?? 0;
  if (byte === 0x1b) return readEscape(all, at);
  if (byte < 0x20 || byte === 0x7f) {
    const name = CONTROL[byte];
    return { key: name === undefined ? null : named(name), next: at + 1 };
  }
  return readText(all, at);
}

function readEscape(all: Uint8Array, at: number): Step | null {
  const second = all[at + 1];
  // A lone escape at the end of the input is the Escape key.
  if (second === undefined) return { key: named("escape"), next: at + 1 };
  if (second === 0x4f) {
    const third = all[at + 2];
    if (third === undefined) return null;
    return step(FINAL[String.fromCharCode(third)], at + 3);
  }
  if (second === 0x5b) return readSequence(all, at);
  if (second === 0x5d || second === 0x50) return skipString(all, at);
  return { key: named("escape"), next: at + 1 };
}

function readSequence(all: Uint8Array, at: number): Step | null {
  let end = at + 2;
  while (end < all.length && ((all[end] ?? 0) < 0x40)) end++;
  const final = all[end];
  if (final === undefined) return null;
  const parameters = String.fromCharCode(...all.subarray(at + 2, end));
  const [first = ""] = parameters.split(";");
  const letter = String.fromCharCode(final);
  if (parameters.startsWith("<")) {
    return { key: mouseKey(parameters.slice(1), letter), next: end + 1 };
  }
  return step(letter === "~" ? TILDE[first] : FINAL[letter], end + 1);
}

const BUTTONS: Readonly<Record<string, Mouse["button"]>> = {
  "0": "left",
  "64": "wheel_up",
  "65": "wheel_down",
};

/**
 * Returns the press of a button that an SGR report `button;column;row` states;
 * null if the button was released or is not known.
 */
function mouseKey(parameters: string, letter: string): Mouse | null {
  const [code = "", x, y] = parameters.split(";");
  const button = BUTTONS[code];
  const [column, row] = [Number(x) - 1, Number(y) - 1];
  if (button === undefined || letter !== "M") return null;
  return row >= 0 && column >= 0
    ? { kind: "mouse", button, row, column }
    : null;
}

/** Answers of the terminal (OSC, DCS) are not keys. */
function skipString(all: Uint8Array, at: number): Step | null {
  for (let end = at + 2; end < all.length; end++) {
    if (all[end] === 0x07) return { key: null, next: end + 1 };
    const isTerminator = all[end] === 0x5c && all[end - 1] === 0x1b;
    if (isTerminator) return { key: null, next: end + 1 };
  }
  return null;
}

function readText(all: Uint8Array, at: number): Step | null {
  const byte = all[at] ?? 0;
  const length = byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
  if (at + length > all.length) return null;
  const text = new TextDecoder().decode(all.subarray(at, at + length));
  // Broken UTF-8 counts as one unknown byte, and the rest is read normally.
  if (text.includes("\ufffd")) return { key: null, next: at + 1 };
  return { key: { kind: "char", text }, next: at + length };
}

function step(name: KeyName | undefined, next: number): Step {
  return { key: name === undefined ? null : named(name), next };
}

function named(name: KeyName): Key {
  return { kind: "named", name };
}
