/**
 * Words for the demo's answers: harmless, and the same for the same seed.
 *
 * @module
 */

import type { Dice } from "../dice.ts";

const OPENINGS = [
  "The parser",
  "This test",
  "The cache",
  "That branch",
  "The retry loop",
  "Our schema",
  "The worker",
  "A small fix",
] as const;

const VERBS = [
  "now handles",
  "should not touch",
  "depends on",
  "reads",
  "is checked against",
  "leaves alone",
  "waits for",
  "was written before",
] as const;

const OBJECTS = [
  "the empty case",
  "every open stream",
  "the lock file",
  "a second account",
  "the last byte",
  "the old format",
  "both time zones",
  "what the user typed",
] as const;

const ENDINGS = [
  "so nothing else has to change.",
  "and the tests agree.",
  "which is why it was slow.",
  "as the note above it says.",
  "until the next reset.",
  "and I would keep it that way.",
] as const;

/** Returns one sentence. */
export function sentence(dice: Dice): string {
  return `${dice.pick(OPENINGS)} ${dice.pick(VERBS)} ${dice.pick(OBJECTS)}, ${
    dice.pick(ENDINGS)
  }`;
}

/** Returns text of at least `tokens` tokens, and not many more. */
export function prose(dice: Dice, tokens: number): string {
  let text = sentence(dice);
  while (tokenPieces(text).length < tokens) text += ` ${sentence(dice)}`;
  return text;
}

/** Returns `text` in the pieces that the demo counts and sends as tokens. */
export function tokenPieces(text: string): readonly string[] {
  return text.match(/\s*\S{1,5}|\s+$/gu) ?? [];
}
