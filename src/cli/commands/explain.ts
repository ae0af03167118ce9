/**
 * `tc explain`: why an account serves a conversation, and where the next
 * request would go.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import type {
  ExplainAccountView,
  ExplainView,
} from "../../control/explain_view.ts";
import { CONTROL } from "../../control/protocol.ts";
import {
  clockText,
  countText,
  durationText,
  inert,
  useText,
} from "../../control/words.ts";
import { EXIT } from "../../errors.ts";
import { commandText } from "../command_table.ts";
import type { Output } from "../output.ts";
import type { Registry } from "../registry.ts";
import { Shell } from "../shell.ts";

export function registerExplain(program: Command, registry: Registry): void {
  program.command("explain")
    .description(commandText("explain").summary)
    .argument("[session]", "A session or request; without it the last one")
    .option("--json", "Print one JSON object")
    .action(registry.run(async (session, options) => {
      const shell = new Shell(registry.environment, options);
      const path = session === undefined
        ? CONTROL.explain
        : `${CONTROL.explain}?of=${encodeURIComponent(session)}`;
      // The server's own answer: its schema is the type's.
      const view = await shell.client().get(path) as ExplainView;
      if (shell.output.isJson) shell.output.json(view);
      else print(view, shell.output);
      return EXIT.ok;
    }));
}

function print(view: ExplainView, output: Output): void {
  const { conversation, last, home, boundAt, at } = view;
  const name = conversation === null
    ? "any new conversation"
    : `session ${inert(conversation)}`;
  const served = home === null || boundAt === null
    ? ""
    : ` · on ${inert(home)} since ${clockText(boundAt.ms, at.ms)}`;
  output.line(`${name}${served}`);
  if (last !== null && last.account !== null) {
    const why = useText(last.reason, last.movedFrom);
    output.line(`Why ${inert(last.account)}: ${why}.`);
  }
  output.line(`Its next request ${nextText(view)}.`);
  output.line();
  for (const line of accountTable(view.accounts)) output.line(line);
  output.line();
  output.line(footer(view));
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

/** Costs of the price policy are tokens; those of the others are small numbers. */
function costText(cost: number): string {
  if (Math.abs(cost) < 1_000) return cost.toFixed(2);
  return cost < 0 ? `-${countText(-cost)}` : countText(cost);
}

function footer(view: ExplainView): string {
  const { policy, pin, at, accounts, isOversubscribed } = view;
  const seen = accounts.flatMap(({ fiveHour, week }) =>
    [fiveHour, week].flatMap((window) => window === null ? [] : [window])
  );
  const newest = seen.reduce((ms, one) => Math.max(ms, one.observedAt.ms), 0);
  const parts = [
    `Policy ${policy}`,
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
