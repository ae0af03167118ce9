/**
 * Turns the meaning of a piece of text into terminal codes: true colour, 256,
 * 16 colours, or none. Words and shapes carry the meaning; colour only repeats
 * it.
 *
 * @module
 */

import { SELECTED } from "./frame.ts";
import { type Style, STYLES } from "./line.ts";

export type ColorDepth = "truecolor" | "256" | "16" | "mono";

/** The shapes that have a form in plain ASCII. */
export interface Glyphs {
  readonly fine: string;
  readonly careful: string;
  readonly closed: string;
  readonly unknown: string;
  readonly off: string;
  readonly needsYou: string;
  readonly collides: string;
  readonly paying: string;
  readonly lead: string;
  readonly child: string;
  readonly branch: string;
  readonly last: string;
  readonly bar: string;
  readonly tool: string;
  readonly warm: string;
  readonly sum: string;
  readonly rule: string;
  readonly dot: string;
  readonly none: string;
  readonly more: string;
  /** Marks an account to which all work is pinned. */
  readonly pinned: string;
  /** Of a window: below, on and above an even pace. */
  readonly below: string;
  readonly level: string;
  readonly above: string;
  readonly read: string;
  readonly write: string;
  readonly sent: string;
  readonly got: string;
  readonly barLeft: string;
  readonly barRight: string;
  readonly barRest: string;
  readonly barPace: string;
  /** Parts of a cell, ascending; the last is a full cell. */
  readonly barParts: readonly string[];
  /** Parts of a column of a curve, ascending; the last is a full cell. */
  readonly columnParts: readonly string[];
  /** Where an even spend was, in a curve. */
  readonly curvePace: string;
  readonly corners: readonly [string, string, string, string];
  readonly side: string;
}

export const UNICODE: Glyphs = {
  fine: "●",
  careful: "▲",
  closed: "■",
  unknown: "◌",
  off: "○",
  needsYou: "►",
  collides: "◆",
  paying: "$",
  lead: "☂",
  child: "↳",
  branch: "├─ ",
  last: "└─ ",
  bar: "│  ",
  tool: "⚙",
  warm: "~",
  sum: "Σ",
  rule: "─",
  dot: "·",
  none: "–",
  more: "…",
  pinned: "◈",
  below: "◂",
  level: "=",
  above: "▸",
  read: "⟲",
  write: "✎",
  sent: "↑",
  got: "↓",
  barLeft: "▕",
  barRight: "▏",
  barRest: "·",
  barPace: "┃",
  barParts: ["▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"],
  columnParts: ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
  curvePace: "╌",
  corners: ["┌", "┐", "└", "┘"],
  side: "│",
};

export const ASCII: Glyphs = {
  fine: "*",
  careful: "!",
  closed: "#",
  unknown: "?",
  off: "o",
  needsYou: ">",
  collides: "&",
  paying: "$",
  lead: "T",
  child: "-",
  branch: "|- ",
  last: "`- ",
  bar: "|  ",
  tool: "%",
  warm: "~",
  sum: "S",
  rule: "-",
  dot: "|",
  none: "-",
  more: ".",
  pinned: "@",
  below: "<",
  level: "=",
  above: "+",
  read: "r",
  write: "w",
  sent: "^",
  got: "v",
  barLeft: "[",
  barRight: "]",
  barRest: ".",
  barPace: "|",
  barParts: ["#"],
  columnParts: ["#"],
  curvePace: "-",
  corners: ["+", "+", "+", "+"],
  side: "|",
};

/** ASCII forms of the shapes that appear inside words and help. */
const IN_ASCII: ReadonlyMap<string, string> = new Map([
  ["…", "."],
  ["▏", "|"],
  ["█", "#"],
  ["◄", "<"],
  ["≥", ">"],
  ...Object.keys(UNICODE).flatMap((name): readonly [string, string][] => {
    const key = name as keyof Glyphs;
    const [from, to] = [UNICODE[key], ASCII[key]];
    return typeof from === "string" && typeof to === "string"
      ? [[from.trim(), to.trim()]]
      : [];
  }),
]);

/**
 * Returns a cell for a terminal that knows only ASCII; names stay unchanged.
 */
export function inAscii(cell: string): string {
  return IN_ASCII.get(cell) ?? cell;
}

const ESC = "\u001b";

/** Bold, dim and reverse are not colours, so NO_COLOR keeps them. */
const ATTRIBUTES: Readonly<Record<Style, string>> = {
  plain: "",
  dim: "2",
  strong: "1",
  good: "",
  careful: "",
  bad: "1",
  info: "",
  title: "2",
  paid: "1",
};

/** Colours of the user's own theme. */
const COLORS_16: Readonly<Record<Style, string>> = {
  plain: "",
  dim: "",
  strong: "",
  good: "32",
  careful: "33",
  bad: "31",
  info: "36",
  title: "",
  paid: "35",
};

/**
 * The hues of Okabe and Ito, which people with red-green blindness can tell
 * apart, at a lightness that is readable on black and on white.
 */
export const COLORS_RGB: Readonly<
  Partial<Record<Style, readonly [number, number, number]>>
> = {
  good: [0, 134, 97],
  careful: [157, 108, 0],
  bad: [193, 85, 0],
  info: [0, 123, 192],
  paid: [180, 84, 141],
};

/** The nearest of the 256 colours. */
const COLORS_256: Readonly<Partial<Record<Style, number>>> = {
  good: 29,
  careful: 136,
  bad: 166,
  info: 31,
  paid: 132,
};

const codes = new Map<string, string>();

/** Returns the codes that switch to a cell's style from any other. */
export function styleCode(cell: number, depth: ColorDepth): string {
  const key = `${depth}${cell}`;
  let code = codes.get(key);
  if (code === undefined) {
    code = codeOf(cell, depth);
    codes.set(key, code);
  }
  return code;
}

function codeOf(cell: number, depth: ColorDepth): string {
  const style = STYLES[cell % SELECTED] ?? "plain";
  const parts = [
    "0",
    ATTRIBUTES[style],
    color(style, depth),
    cell >= SELECTED ? "7" : "",
  ].filter((code) => code !== "");
  return `${ESC}[${parts.join(";")}m`;
}

function color(style: Style, depth: ColorDepth): string {
  switch (depth) {
    case "mono":
      return "";
    case "16":
      return COLORS_16[style];
    case "256": {
      const index = COLORS_256[style];
      return index === undefined ? "" : `38;5;${index}`;
    }
    case "truecolor": {
      const rgb = COLORS_RGB[style];
      return rgb === undefined ? "" : `38;2;${rgb.join(";")}`;
    }
  }
}

interface TerminalFacts {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly isWindows: boolean;
}

/**
 * Returns 16 colours of the user's own theme, and more only if the terminal
 * says so.
 */
export function colorDepth(
  { environment }: TerminalFacts,
  isColored: boolean,
): ColorDepth {
  if (!isColored || environment["TERM"] === "dumb") return "mono";
  const { COLORTERM, TERM } = environment;
  if (COLORTERM === "truecolor" || COLORTERM === "24bit") return "truecolor";
  return TERM?.includes("256color") && COLORTERM ? "256" : "16";
}

/** Returns ASCII shapes if asked for, and if the terminal knows no others. */
export function glyphsFor({ environment, isWindows }: TerminalFacts): Glyphs {
  const asked = environment["TC_ASCII"];
  if (asked) return asked === "0" ? UNICODE : ASCII;
  if (environment["TERM"] === "linux") return ASCII;
  const locale = environment["LC_ALL"] || environment["LC_CTYPE"] ||
    environment["LANG"] || "";
  if (isWindows || /utf-?8/i.test(locale)) return UNICODE;
  return /^(C|POSIX)$/.test(locale) ? ASCII : UNICODE;
}
