/**
 * Writes an explanation as sentences and a small table, for `tc explain` and
 * the Deck. Pure.
 *
 * @module
 */

import type { ExplainAccountView, ExplainView } from "./explain_view.ts";
import type { ActivityView } from "./protocol.ts";
import type { SpendLimitView } from "./account_views.ts";
import {
  clockText,
  countText,
  durationText,
  inert,
  spendLimitWords,
  useText,
} from "./words.ts";

/** Lays a table out as lines; the first row is its headings. */
type TableLayout = (
  rows: readonly (readonly string[])[],
) => readonly string[];

/** Returns the explanation line by line. */
export function explainLines(
  view: ExplainView,
  { timeZone, layout = padded }: {
    readonly timeZone?: string | undefined;
    readonly layout?: TableLayout;
  } = {},
): readonly string[] {
  const { conversation, request, last, home, boundAt, at } = view;
  const name = conversation === null
    ? "any new conversation"
    : `session ${inert(conversation)}`;
  const title = request === null
    ? name
    : `request ${inert(request)}${conversation === null ? "" : ` of ${name}`}`;
  const served = home === null || boundAt === null
    ? ""
    : ` · on ${inert(home)} since ${clockText(boundAt.ms, at.ms, timeZone)}`;
  const why = last === null || last.account === null ? [] : [
    `Why ${inert(last.account)} (${ruleText(last.reason)}): ${
      useText(last.reason, last.movedFrom)
    }.`,
  ];
  return [
    `${title}${served}`,
    ...why,
    ...outcomeLines(last),
    ...projectLines(view),
    `Its next request ${nextText(view)}.`,
    "",
    ...layout(accountTable(view)).map((line) => `  ${line}`),
    "",
    ...limitLines(view),
    ...unitLines(view),
    footer(view),
  ];
}

/**
 * Returns how the request ended where it was not served at once: which accounts
 * were asked first, what tc said by itself, or which error was passed on.
 */
function outcomeLines(last: ActivityView | null): readonly string[] {
  if (last === null) return [];
  // An older server tells of none.
  const { account, status, why = null, triedFirst = [] } = last;
  const tries = triedFirst.map((one) =>
    `${inert(one.account)} (${one.status ?? "no answer"})`
  );
  return [
    ...tries.length === 0 ? [] : [`Asked before: ${tries.join(", ")}.`],
    ...why === null || account !== null
      ? []
      : [`tc answered ${status} by itself: ${inert(why)}`],
    ...account === null || status < 400
      ? []
      : [`${inert(account)} answered ${status}, and that was passed on.`],
  ];
}

/** Returns the project and the user's rule for it, where either is known. */
function projectLines({ project, route }: ExplainView): readonly string[] {
  if (project === null && route === null) return [];
  const what = project === null
    ? "Its project is not known"
    : `Project ${inert(project)}`;
  if (route === null) return [`${what}: no rule of routes is for it.`];
  const accounts = route.accounts === null
    ? "every account may serve"
    : `only ${route.accounts.map((name) => inert(name)).join(", ")} may serve`;
  const policy = route.policy === null ? "" : `, by policy ${route.policy}`;
  return [
    `${what}: by the rule for ${inert(route.project)}, ${accounts}${policy}.`,
  ];
}

/** Returns the name of the rule that decided. */
function ruleText(reason: string): string {
  return `rule: ${reason.replaceAll("_", " ")}`;
}

function padded(
  rows: readonly (readonly string[])[],
): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0))
  );
  return rows.map((row) =>
    row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")
      .trimEnd()
  );
}

function nextText({ decision, at }: ExplainView): string {
  switch (decision.kind) {
    case "use":
      return `goes to ${inert(decision.account ?? "?")} (${
        ruleText(decision.reason)
      }): ${useText(decision.reason, null)}`;
    case "wait":
      return `waits: ${WAIT_TEXT[decision.reason] ?? decision.reason}${
        decision.until === null
          ? ""
          : ` (next check in ${durationText(decision.until.ms - at.ms)})`
      }`;
    case "refuse":
      return "is refused: no account may serve it";
  }
}

const WAIT_TEXT: Readonly<Record<string, string>> = {
  warm_account: "the account that holds its cache is back soon",
  shared_prompt: "another sub-agent is just writing the prompt that they share",
  full: "every account has as many requests as it takes",
  closed: "all accounts are used up",
  parked: "there are more conversations than the quota feeds",
};

/** Parts of a cost that are told elsewhere or are not part of the sum. */
const NOT_SUMMED = ["windowPrice", "cachedTokens", "rebuildTokens"];

/** The parts of a cost, which add up to it. */
function partsOf({ terms }: ExplainAccountView): readonly string[] {
  return Object.keys(terms).filter((name) => !NOT_SUMMED.includes(name));
}

/** Returns the table with its headings; every number has its unit below it. */
function accountTable(view: ExplainView): readonly (readonly string[])[] {
  const { accounts } = view;
  const isPrice = isPriced(view);
  const parts = [...new Set(isPrice ? accounts.flatMap(partsOf) : [])];
  return [
    [
      "account",
      "may serve",
      "in cache",
      "to write",
      "in flight",
      ...parts.map((part) => PART_TEXT[part] ?? part),
      isPrice ? "= cost" : "score",
    ],
    ...accounts.map((one) => rowOf(one, parts)),
  ];
}

/** Headings of the parts of a cost. */
const PART_TEXT: Readonly<Record<string, string>> = {
  price: "+ quota",
  prompt: "prompt",
  risk: "+ risk",
  load: "+ load",
  stay: "+ stay",
};

function isPriced({ policy }: ExplainView): boolean {
  return policy === "price";
}

function rowOf(
  one: ExplainAccountView,
  parts: readonly string[],
): readonly string[] {
  const most = one.inFlightMax === null ? "" : ` of ${one.inFlightMax}`;
  const mark = one.isChosen ? " ◄" : "";
  return [
    inert(one.account),
    mayServe(one),
    one.cachedTokens > 0 ? countText(one.cachedTokens) : "–",
    countText(one.rebuildTokens),
    `${one.inFlight}${most}`,
    ...parts.map((part) => {
      const value = one.terms[part];
      return value === undefined ? "–" : signedText(value);
    }),
    (one.cost === null ? "–" : signedText(one.cost)) + mark,
  ];
}

function mayServe({ reasonText, passedOver }: ExplainAccountView): string {
  if (reasonText !== null) return `no: ${reasonText}`;
  return passedOver === null ? "yes" : `yes, but ${passedOver}`;
}

/** Returns a cost as tokens, small ones with two decimals. */
function signedText(value: number): string {
  const size = Math.abs(value);
  if (size === 0) return "0";
  const text = size < 100 ? size.toFixed(2) : countText(size);
  return value < 0 ? `-${text}` : text;
}

/**
 * Returns the limits in dollars with what is left of each, and what a request
 * must fit into; nothing where there is no limit.
 */
function limitLines(
  { accounts, paidLimit = null, costMax = null }: ExplainView,
): readonly string[] {
  const own = accounts.flatMap(({ account, limit = null }) =>
    limit === null ? [] : [`${inert(account)}: ${roomText(limit)}`]
  );
  const all = paidLimit === null
    ? []
    : [`all paid work, paid.max: ${roomText(paidLimit)}`];
  if (own.length + all.length === 0) return [];
  const size = costMax === null
    ? "a request that may cost more than is left is not sent there"
    : `its next request may cost $${
      costMax.toFixed(2)
    }, as its last; where less is left, it is not sent`;
  return [...own, ...all, size].map((line) => `dollars: ${line}`);
}

/** Returns `$12.10 of $20 today, $0.40 in flight, $7.50 left`. */
function roomText(limit: SpendLimitView): string {
  const { max, paid, reserved } = limit;
  const left = Math.max(0, max - paid - reserved);
  return [
    spendLimitWords(limit),
    ...reserved > 0 ? [`$${reserved.toFixed(2)} in flight`] : [],
    `$${left.toFixed(2)} left`,
  ].join(", ");
}

function unitLines(view: ExplainView): readonly string[] {
  return isPriced(view)
    ? [
      "in cache, to write: tokens of the prompt · cost: quota tokens, lower is better",
    ]
    : [
      `in cache, to write: tokens of the prompt · score: of policy ${view.policy}, lower is better`,
    ];
}

/** Returns who asked for another policy than the pool's. */
function ownText({ route, policy }: ExplainView): string {
  return route?.policy === policy
    ? ", for this project"
    : ", for this launch alone";
}

function footer(view: ExplainView): string {
  const { policy, isOwnPolicy, pin, at, accounts, isOversubscribed } = view;
  const seen = accounts.flatMap(({ fiveHour, week }) =>
    [fiveHour, week].flatMap((window) => window === null ? [] : [window])
  );
  const newest = seen.reduce((ms, one) => Math.max(ms, one.observedAt.ms), 0);
  const parts = [
    `Policy ${policy}${isOwnPolicy ? ownText(view) : ""}`,
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
