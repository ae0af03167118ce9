/**
 * The state of the pool as text, for `tc` alone and `tc status`.
 *
 * @module
 */

import type {
  AccountView,
  StatusView,
  WindowView,
} from "../../control/protocol.ts";
import {
  countText,
  durationText,
  inert,
  lastsText,
  payingSumText,
  percentText,
  spendLimitWords,
  verdictText,
} from "../../control/words.ts";
import { statesText, stateText } from "../../control/state_text.ts";
import { widthOf } from "../../deck/terminal/grapheme.ts";
import type { Output, Style } from "../output.ts";
import { type Column, tableLines } from "../table.ts";

const VERDICT_STYLE: Readonly<Record<string, Style>> = {
  green: "good",
  yellow: "careful",
  red: "bad",
};

const VERDICT_SHAPE: Readonly<Record<string, string>> = {
  green: "●",
  yellow: "▲",
  red: "■",
};

const WORD_STYLE: Readonly<Record<AccountView["word"], Style>> = {
  ready: "plain",
  careful: "careful",
  closed: "bad",
  unknown: "dim",
  off: "dim",
  reserve: "dim",
  paying: "strong",
  needs_login: "bad",
  quarantined: "bad",
};

/** An older figure is printed with its age. */
const FRESH_MS = 60_000;

/** Returns the line with the state of the pool. */
export function verdictLine(view: StatusView, output: Output): string {
  const { color } = view.verdict;
  const shape = `${VERDICT_SHAPE[color] ?? "◌"} ${color}`;
  const why = verdictText(view.verdict, { now: view.at.ms, timeZone: null });
  const money = payingSumText(view, " by token");
  const parts = [
    ...(money === null ? [] : [output.paint("strong", money)]),
    ...(view.paidLimit === null
      ? []
      : [`paid ${spendLimitWords(view.paidLimit)}`]),
    ...(why === "" ? [] : [why]),
    statesText(view.accounts.map(({ state }) => state)),
    ...(view.nextReset === null ? [] : [
      `next reset ${durationText(view.nextReset.at.ms - view.at.ms)} (${
        inert(view.nextReset.account)
      } ${view.nextReset.window})`,
    ]),
  ];
  return `${output.paint(VERDICT_STYLE[color] ?? "plain", shape)}   ${
    parts.join(" · ")
  }`;
}

/**
 * Returns one line per account: figures, state, reason, and the command that
 * fixes it.
 */
export function accountLines(
  view: StatusView,
  output: Output,
): readonly string[] {
  const columns: readonly Column<AccountView>[] = [
    { title: "account", of: ({ label }) => inert(label), cutTo: 8 },
    {
      title: "used",
      of: (account) => figureText(account, view.at.ms),
      drop: 1,
    },
    {
      title: "state",
      of: (account) => accountWords(account, view.at.ms),
      paint: ({ word }, text) => output.paint(WORD_STYLE[word], text),
      cutTo: 12,
      isSentence: true,
    },
  ];
  const { rows } = tableLines(view.accounts, columns, output.width - INDENT);
  return rows.map((line) => `${" ".repeat(INDENT)}${line}`);
}

/** Cells before what belongs to the line above. */
export const INDENT = 2;

function figureText({ windows }: AccountView, now: number): string {
  return windows.filter(({ family }) => family === null)
    .map((window) =>
      `${window.key} ${percentText(window.utilization)}${ageText(window, now)}`
    )
    .join("  ");
}

function ageText(window: WindowView, now: number): string {
  const age = now - window.observedAt.ms;
  return age > FRESH_MS ? ` (${durationText(age)} ago)` : "";
}

function accountWords(account: AccountView, now: number): string {
  const { state, until, mend } = account;
  const text = stateText(account, { now });
  if (mend !== null) return `${text}      ${mend}`;
  const isBack = until !== null && (state === "spent" || state === "resting");
  return isBack ? `${text}, in ${durationText(until.ms - now)}` : text;
}

/**
 * Prints the notices that need a person, each with its fix. On a terminal with
 * no room for both, the fix stands on a line of its own, whole, to be copied.
 */
export function printNotices(view: StatusView, output: Output): void {
  for (const { level, text, mend } of view.notices) {
    const mark = output.paint(level === "error" ? "bad" : "careful", level);
    const indent = level.length + 2;
    const fix = mend === null ? "" : `   ${mend}`;
    const isOneLine = widthOf(`${level}  ${inert(text)}${fix}`) <= output.width;
    output.sentence(
      `${mark}  ${inert(text)}${isOneLine ? fix : ""}`,
      indent,
    );
    if (!isOneLine && mend !== null) output.line(" ".repeat(indent) + mend);
  }
}

/** Returns why there is no pace: keys may be at work while every plan rests. */
function restText({ accounts }: StatusView): string {
  const hasPlans = accounts.some(({ kind }) =>
    kind === "subscription" || kind === "setup_token"
  );
  if (!hasPlans) return "none: API keys pay by token, no window runs out";
  const used = accounts.filter(({ recent }) => recent.requests1h > 0);
  if (used.length === 0) return "nothing was used in the last hour";
  return used.every(({ kind }) => kind === "api_key" || kind === "backend")
    ? "no plan was used in the last hour, only what pays by token"
    : "no tokens of a plan that serves were used in the last hour";
}

/** Returns how long the pool lasts, and on what that is based. */
export function forecastLine(view: StatusView): string {
  const { forecast, verdict, at } = view;
  const { tokensPerHour, isGuess } = forecast;
  if (verdict.color === "red") return "forecast: none while nothing serves";
  const time = { now: at.ms, timeZone: null };
  const usual = lastsText(
    tokensPerHour === 0 ? { ...forecast, lastsUntil: null } : forecast,
    time,
    "usual",
  );
  const then = usual === null ? "" : `; ${usual}`;
  if (tokensPerHour === 0) return `forecast: ${restText(view)}${then}`;
  const pace = `at ${countText(tokensPerHour)} quota tokens an hour`;
  const end = lastsText(forecast, time, "pace") ??
    (isGuess
      ? "probably lasts a week or more, uncertain"
      : "lasts a week or more");
  const guess = isGuess ? ": plan sizes are not known yet" : "";
  return `forecast: ${pace} it ${end}${guess}${then}`;
}
