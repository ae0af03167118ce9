/**
 * An explanation in sentences and a small table, for `tc explain` and the
 * Deck. Pure.
 *
 * @module
 */

import type { ConsideredView, ExplainView } from "./explain_view.ts";
import { clockText, countText, durationText } from "./words.ts";

const USE: Readonly<Record<string, string>> = {
  bound: "it stays where it is",
  pinned: "it is pinned",
  only: "it was asked for by name",
  new: "a new session, and it is the best of the policy",
  parent: "a sub-agent starts where its parent is",
  moved: "the policy finds it better than staying",
  opens_window: "that opens a fresh window",
  last_resort: "no subscription can serve soon",
  probe: "all is closed: one request tries whether that still holds",
};

const WAIT: Readonly<Record<string, string>> = {
  warm_account: "its own account is back soon, and moving costs its cache",
  full: "all that may serve it have as many requests as they take",
  closed: "every account is spent or benched",
  parked: "there are more sessions than the quota carries",
};

/** The explanation line by line. */
export function explainLines(
  view: ExplainView,
  timeZone?: string,
): readonly string[] {
  return [
    bindingText(view, timeZone),
    decisionText(view, timeZone),
    "",
    ...tableLines(view, timeZone),
    "",
    `Policy ${view.policy}. Lower cost is better; costs are of this policy alone.`,
  ];
}

function bindingText({ binding, at }: ExplainView, timeZone?: string): string {
  if (binding === null) return "Not seen yet: it has no account and no cache.";
  const since = clockText(binding.since.ms, at.ms, timeZone);
  const warmMs = binding.warmUntil.ms - at.ms;
  const cache = warmMs > 0
    ? `its cache of ${countText(binding.contextTokens)} tokens is warm for ${
      durationText(warmMs)
    } more`
    : `its cache of ${countText(binding.contextTokens)} tokens is cold`;
  return `Served by ${binding.account} since ${since}; ${cache}.`;
}

function decisionText(
  { decision, at }: ExplainView,
  timeZone?: string,
): string {
  const { kind, account, reason, until } = decision;
  const word = reason.replaceAll("_", " ");
  switch (kind) {
    case "use":
      return `Its next request goes to ${account}: ${USE[reason] ?? word}.`;
    case "wait": {
      const when = until === null
        ? ""
        : `, until ${clockText(until.ms, at.ms, timeZone)} (${
          durationText(until.ms - at.ms)
        })`;
      return `Its next request waits: ${WAIT[reason] ?? word}${when}.`;
    }
    case "refuse":
      return reason === "no_account"
        ? "Its next request is refused: there is no account."
        : "Its next request is refused: no account could ever serve it.";
  }
}

function tableLines(
  { considered, at }: ExplainView,
  timeZone?: string,
): readonly string[] {
  const width = Math.max(7, ...considered.map((one) => one.account.length)) + 2;
  return considered.flatMap((one) => [
    `${one.isChosen ? "►" : " "} ${one.account.padEnd(width)}${
      standingText(one, at.ms, timeZone)
    }`,
    ...termLines(one, width),
  ]);
}

function standingText(
  one: ConsideredView,
  nowMs: number,
  timeZone?: string,
): string {
  const cost = one.cost === null ? "" : `cost ${figure(one.cost)}`;
  const cache = one.cachedTokens === 0
    ? "no cache"
    : `cache ${countText(one.cachedTokens)}`;
  if (one.mayServe) {
    return `may serve   ${[cache, cost].filter((t) => t !== "").join("   ")}`;
  }
  const until = one.until === null
    ? ""
    : ` until ${clockText(one.until.ms, nowMs, timeZone)}`;
  return `no: ${one.reason}${until}`;
}

function termLines({ terms }: ConsideredView, width: number) {
  const text = Object.entries(terms)
    .filter(([, value]) => value !== 0)
    .map(([name, value]) => `${termName(name)} ${figure(value)}`)
    .join(" · ");
  return text === "" ? [] : [`${" ".repeat(width + 2)}${text}`];
}

/** `rebuildTokens` as `rebuild tokens`. */
function termName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

function figure(value: number): string {
  const size = Math.abs(value);
  if (size >= 1_000) return `${value < 0 ? "-" : ""}${countText(size)}`;
  return String(Number(value.toPrecision(3)));
}
