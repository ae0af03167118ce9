/**
 * How many cells a terminal gives to one grapheme. The expression for emoji is
 * made when a text needs it, from a string: the runtime takes 13 ms to build its
 * set of emoji, and for a literal it does so when the file is loaded.
 *
 * @module
 */

import { eastAsianWidth } from "get-east-asian-width";

/**
 * Signs of one cell, whatever follows: Latin, punctuation, arrows, boxes, and
 * tc's own Σ ↳ ≥ ▲ ▸ ► ☂ ⚙ ✎ ✗ ⟲. A text of these alone needs neither the
 * emoji nor the graphemes of the runtime, which take 20 ms to load.
 */
const PLAIN = new RegExp(
  "^[\\x20-\\x7e\\xa1-\\xac\\xae-\\u02ff\\u2010-\\u2027\\u2190-\\u2199" +
    "\\u2500-\\u25a9\\u25c0-\\u25faΣ↳≥▲▸►☂⚙✎✗⟲]*$",
);

/** Returns whether each character of `text` takes one cell of its own. */
export function isPlain(text: string): boolean {
  return PLAIN.test(text);
}

/** Returns the cells of one grapheme: 0 if nothing of it shows, 2 at most. */
export function cellWidth(grapheme: string): 0 | 1 | 2 {
  const visible = visiblePart(grapheme);
  if (visible === "") return 0;
  if (isTextEmoji(visible)) return 1;
  if (isEmoji(visible)) return 2;
  // The parts of a Korean syllable are drawn as one.
  if (/^[\u1100-\u11ff\ua960-\ua97c\uac00-\ud7fb]/.test(visible)) {
    return eastAsianWidth(visible.codePointAt(0) ?? 0);
  }
  let width = 0;
  for (const character of visible) {
    // What is joined on shows in the same place.
    if (character === "\u200d") break;
    if (visiblePart(character) === "") continue;
    width += eastAsianWidth(character.codePointAt(0) ?? 0);
  }
  return width >= 2 ? 2 : 1;
}

/** Marks that stand before a number are formats, and show all the same. */
const SHOWN_FORMATS =
  /[\u0600-\u0605\u06dd\u0890\u0891\u08e2\u{110bd}\u{110cd}]/u;

/** Returns `text` from its first character that shows; empty if none does. */
function visiblePart(text: string): string {
  for (let at = 0; at < text.length;) {
    const character = String.fromCodePoint(text.codePointAt(at) ?? 0);
    // Ignorable, controls, formats, and marks without a cell of their own.
    const isHidden = /^[\p{DI}\p{Cc}\p{Cf}\p{Me}\p{Mn}\p{Cs}]$/u
      .test(character);
    if (!isHidden || SHOWN_FORMATS.test(character)) return text.slice(at);
    at += character.length;
  }
  return "";
}

/** Whether it is an emoji of the basic plane that asks to be shown as text. */
function isTextEmoji(text: string): boolean {
  return /^[\u0020-\uffff]\ufe0e/u.test(text) &&
    /^\p{Emoji_Presentation}/u.test(text);
}

function isEmoji(text: string): boolean {
  return new RegExp(EMOJI, "v").test(text) ||
    /\u200d\p{Extended_Pictographic}/u.test(text);
}

const EMOJI = String
  .raw`^(?:\p{RGI_Emoji}|\p{Regional_Indicator}{1,2}|[\d#*]\ufe0f)`;
