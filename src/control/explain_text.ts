/**
 * Writes an explanation as sentences and a small table, for `tc explain` and
 * the Deck. Pure.
 *
 * @module
 */

import type { ExplainAccountView, ExplainView } from "./explain_view.ts";
import { clockText, countText, durationText, inert, useText } from "./words.ts";

/** Returns the explanation line by line. */
export function explainLines(
  view: ExplainView,
  timeZone?: string,
): readonly string[] {
  const { conversation, last, home, boundAt, at } = view;
  const name = conversation === null
    ? "any new conversation"
    : `session ${inert(conversation)}`;
  const served = home === null || boundAt === null
    ? ""
    : ` · on ${inert(home)} since ${clockText(boundAt.ms, at.ms, timeZone)}`;
  const why = last === null || last.account === null
    ? []
    : [`Why ${inert(last.account)}: ${useText(last.reason, last.movedFrom)}.`];
  return [
    `${name}${served}`,
    ...why,
    `Its next request ${nextText(view)}.`,
    "",
    ...accountTable(view.accounts),
    "",
    footer(view),
  ];
}

function nextText({ decision, at }: ExplainView): string {
  switch (decision.kind) {
    case "use":
      return `goes to ${inert(decision.account ?? "?")}: ${
        useText(decision.reason, null)
      }`;
    case "wait":
      return `waits${
        decision.until === null
          ? ""
          : ` ${durationText(decision.until.ms - at.ms)}`
      }: ${WAIT_TEXT[decision.reason] ?? decision.reason}`;
    case "refuse":
      return "is refused: no account may serve it";
  }
}

const WAIT_TEXT: Readonly<Record<string, string>> = {
  warm_account: "the account that holds its cache is back soon",
  full: "every account has as many requests as it takes",
  closed: "every account is spent or resting",
  parked: "there are more conversations than the quota feeds",
};

const HEADINGS = [
  "account",
  "may serve",
  "cache now",
  "rebuild",
  "price",
  "load",
  "total",
];

function accountTable(
  accounts: readonly ExplainAccountView[],
): readonly string[] {
  const rows = [HEADINGS, ...accounts.map(rowOf)];
  const widths = HEADINGS.map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0))
  );
  return rows.map((row) =>
    `  ${
      row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")
    }`.trimEnd()
  );
}

function rowOf(one: ExplainAccountView): readonly string[] {
  const most = one.inFlightMax === null ? "" : ` of ${one.inFlightMax}`;
  const price = one.terms["windowPrice"];
  const mark = one.isChosen ? " ◄" : "";
  return [
    inert(one.account),
    one.reasonText === null ? "yes" : `no, ${one.reasonText}`,
    one.cachedTokens > 0 ? `${countText(one.cachedTokens)} warm` : "cold",
    countText(one.rebuildTokens),
    price === undefined ? "–" : price.toFixed(2),
    `${one.inFlight}${most}`,
    (one.cost === null ? "–" : costText(one.cost)) + mark,
  ];
}

/**
 * Returns a cost as text: tokens for the price policy, small numbers for the
 * others.
 */
function costText(cost: number): string {
  if (Math.abs(cost) < 1_000) return cost.toFixed(2);
  return cost < 0 ? `-${countText(-cost)}` : countText(cost);
}

function footer(view: ExplainView): string {
  const { policy, isOwnPolicy, pin, at, accounts, isOversubscribed } = view;
  const seen = accounts.flatMap(({ fiveHour, week }) =>
    [fiveHour, week].flatMap((window) => window === null ? [] : [window])
  );
  const newest = seen.reduce((ms, one) => Math.max(ms, one.observedAt.ms), 0);
  const parts = [
    `Policy ${policy}${isOwnPolicy ? ", for this launch alone" : ""}`,
    newest === 0
      ? "no figures yet"
      : `newest figures ${durationText(at.ms - newest)} old`,
    ...(pin === null ? [] : [`pinned to ${inert(pin)}`]),
    ...(isOversubscribed
      ? [
        `${
          view.activeConversations + view.stalledConversations
        } conversations: cold ones may be parked`,
      ]
      : []),
  ];
  return parts.join(" · ");
}
