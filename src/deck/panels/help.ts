/**
 * The help: every key and every sign of the screen.
 *
 * @module
 */

import type { Glyphs } from "../terminal/theme.ts";

/** A line of the help; without `text` it is a heading. */
interface HelpLine {
  readonly key: string;
  readonly text: string;
}

/** Returns the help, line by line, with the signs as this terminal has them. */
export function helpLines(glyphs: Glyphs): readonly HelpLine[] {
  return [
    { key: "Keys", text: "" },
    ...KEYS.map(([key, text]) => ({ key, text })),
    { key: "", text: "" },
    { key: "Signs", text: "" },
    ...signsOf(glyphs).map(([key, text]) => ({ key, text })),
  ];
}

type Pair = readonly [key: string, text: string];

const KEYS: readonly Pair[] = [
  ["j k", "down and up, as the arrows; g G first and last row of a list"],
  ["Tab", "next list; Shift-Tab: the one before; Esc: deselect"],
  ["Enter", "the agents of an account; of a request all that is known"],
  ["mouse", "click selects, the wheel moves; Shift-drag marks text"],
  ["y", "copy the id of the row: session, request, issue or account"],
  ["e", "explain the row: why it is where it is"],
  ["o", "sort the list another way: as set, tokens, name, used"],
  ["/", "show only rows that hold a word"],
  ["i", "issues instead of agents, and back"],
  ["s", "pin an account: all work goes there"],
  ["a", "accounts: log in, import, key, rename, on/off, first, delete"],
  ["r", "remove an account"],
  ["p", "choose the policy"],
  ["u", "undo the last pin, policy, on/off, rename or priority"],
  ["R", "read config and accounts again"],
  ["b", "bell on/off"],
  ["Ctrl-L", "draw everything again"],
  ["q", "quit; asks first if that stops the server"],
];

function signsOf(glyphs: Glyphs): readonly Pair[] {
  const part = glyphs.barParts.at(-1) ?? "#";
  const half = glyphs.barParts.length > 1 ? glyphs.barParts[3] ?? "" : "";
  return [
    [glyphs.fine, "account ready; pool green"],
    [glyphs.careful, "account nearly full; pool yellow; a warning"],
    [glyphs.closed, "account closed, its row says why; pool red; an error"],
    [glyphs.unknown, "no figures yet"],
    [glyphs.off, "off, in reserve, or idle"],
    [glyphs.paying, "paid by the token, in real dollars"],
    [glyphs.pinned, "all work is pinned to this account"],
    [`${part}${half}`, "used share of a window"],
    [glyphs.barPace, "where an even spend would be now"],
    [
      `${glyphs.below} ${glyphs.level} ${glyphs.above}`,
      "below, on, above the even pace; then time to reset",
    ],
    [
      glyphs.dot,
      "in a row: too early to compare with a pace; in a bar: not used",
    ],
    [
      (glyphs.columnParts.length > 1 ? ["▁", "▄", "█"] : ["#"]).join(""),
      "a curve over the last five hours, the newest at the right",
    ],
    [glyphs.curvePace, "in a curve: where an even spend was"],
    [glyphs.needsYou, "waits for you"],
    [glyphs.collides, "two agents work on one issue"],
    [glyphs.lead, "leads other agents"],
    [glyphs.child, "works for another agent; a request of a sub-agent"],
    [glyphs.tool, "a tool runs"],
    [glyphs.warm, "its cache is warm"],
    [glyphs.sum, "tokens of it and all below it"],
    [glyphs.sent, "fresh tokens of a prompt"],
    [glyphs.read, "tokens read from the cache"],
    [glyphs.write, "tokens written to the cache"],
    [glyphs.got, "tokens of the answer"],
    [glyphs.none, "nobody, or not known"],
    [glyphs.more, "a name or title was cut here"],
    ["hit miss", "share of a prompt read from the cache; tokens not in it"],
    ["live idle", "an agent at work or with a warm cache; the others"],
    ["L0 L1", "levels of a tree: the roots, what they lead, and so on"],
    ["worth paid", "list price of what plans covered; real dollars"],
    ["dim", "older than a minute, or the server cannot be reached"],
  ];
}
