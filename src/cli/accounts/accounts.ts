/**
 * `tc accounts`.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import type {
  AccountFactsView,
  AccountsView,
  TimeView,
} from "../../control/protocol.ts";
import {
  dayText,
  durationText,
  inert,
  percentText,
  planText,
} from "../../control/words.ts";
import { stateText, storedStateText } from "../../control/state_text.ts";
import { EXIT } from "../../errors.ts";
import { listAccounts } from "./account_work.ts";
import type { Output, Style } from "../output.ts";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import { Shell } from "../shell.ts";
import { type Column, tableLines } from "../table.ts";
import { commandWord } from "../../shell_words.ts";

const TEXT: CommandText = {
  name: "accounts",
  group: "accounts",
  summary: "List the accounts",
  examples: ["tc accounts", "tc accounts -v", "tc accounts --json"],
  schema: "tc.accounts/v1",
};

export function registerAccounts(program: Command, registry: Registry): void {
  addCommand(program, registry, TEXT)
    .option("-v, --verbose", "Show e-mail, plan, login and limits")
    .option("--json", "Print one JSON object")
    .action(registry.run(async (options) => {
      const shell = new Shell(registry, options);
      const view = await listAccounts(shell);
      if (shell.output.isJson) shell.output.json(view);
      else print(view, shell.output, options.verbose ?? false);
      return EXIT.ok;
    }));
}

function print(view: AccountsView, output: Output, isVerbose: boolean): void {
  const { accounts, damaged, orphans, unlisted } = view;
  if (accounts.length === 0 && damaged.length === 0) {
    output.say("No accounts yet: tc login, tc login --api or tc import");
  }
  const columns: readonly Column<AccountFactsView>[] = [
    { title: "account", of: ({ label }) => inert(label), cutTo: 8 },
    { title: "plan", of: planText, drop: 2 },
    {
      title: "state",
      of: (account) => stateOf(account, view).text,
      paint: (account, text) =>
        output.paint(stateOf(account, view).style, text),
      cutTo: 12,
      isSentence: true,
    },
    { title: "used", of: figuresOf, drop: 1 },
    { title: "", of: fixOf, drop: 3 },
  ];
  const table = tableLines(accounts, columns, output.width);
  if (accounts.length > 0) output.line(output.paint("dim", table.head));
  accounts.forEach((account, at) => {
    output.line(table.rows[at] ?? "");
    if (!isVerbose) return;
    for (const detail of details(account, view.at)) {
      output.line(output.paint("dim", `    ${detail}`));
    }
  });
  if (accounts.length > 0 && accounts.every(({ live }) => live === null)) {
    output.say("No server runs, so states and use are not known: tc run");
  }
  for (const { label } of unlisted) {
    output.say(
      `${
        inert(label)
      } is in the vault but not in the config, so it is not used`,
    );
  }
  for (const { name } of orphans) {
    const label = inert(name ?? "a row of the config");
    output.say(
      `${label} has no credential: tc login --name ${commandWord(label)}`,
    );
  }
  for (const { id, reason, unlock } of damaged) {
    output.say(`${inert(id)} cannot be read: ${inert(reason)}`);
    if (unlock !== null) output.say(`  ${unlock}`);
  }
}

/** Returns the state as every screen prints it, with its colour. */
function stateOf(
  account: AccountFactsView,
  { at }: AccountsView,
): { readonly text: string; readonly style: Style } {
  const { live } = account;
  if (live !== null) {
    const text = stateText(live, { now: at.ms });
    return { text, style: styleOf(live.word) };
  }
  const text = storedStateText(account, at.ms);
  return { text, style: text === "needs sign-in" ? "bad" : "dim" };
}

function figuresOf({ live }: AccountFactsView): string {
  return (live?.windows ?? []).filter(({ family }) => family === null)
    .map(({ key, utilization }) => `${key} ${percentText(utilization)}`)
    .join("  ");
}

/** Returns the command that fixes the account; empty if there is nothing to fix. */
function fixOf(account: AccountFactsView): string {
  const { live, enabled, needsLogin } = account;
  if (live !== null) return live.mend ?? "";
  const again = `tc login --account ${inert(account.label)}`;
  return enabled && needsLogin ? again : "";
}

function styleOf(word: string): Style {
  if (word === "needs_login" || word === "closed" || word === "quarantined") {
    return "bad";
  }
  if (word === "careful") return "careful";
  return word === "ready" ? "good" : "dim";
}

function details(
  account: AccountFactsView,
  at: TimeView,
): readonly string[] {
  const { email, organization, sharedWith, duplicateOf } = account;
  const who = [email, organization].filter((text) => text !== null);
  const limits = [
    `priority ${account.priority}`,
    ...account.maxInFlight === null
      ? []
      : [`at most ${account.maxInFlight} requests`],
    ...account.capUtilization === null
      ? []
      : [`up to ${percentText(account.capUtilization)}`],
    ...account.planPrice === null
      ? []
      : [`plan $${account.planPrice} a month, as you stated`],
    ...account.maxCost === null ? [] : [`at most $${account.maxCost}`],
  ];
  return [
    ...who.length === 0 ? [] : [inert(who.join(", "))],
    loginText(account, at),
    ...signInEnd(account, at),
    limits.join(", "),
    ...(account.live?.learnedLimits ?? []).map((learned) => {
      const { limit, what, refusals, refusedAt } = learned;
      const age = durationText(at.ms - refusedAt.ms);
      return `at most ${limit} ${what} for now: ${refusals} refusals, the last ${age} ago`;
    }),
    ...(account.live?.refusals ?? []).map(({ what, until }) =>
      `may not use ${inert(what)}; asked again in ${
        durationText(until.ms - at.ms)
      }`
    ),
    ...sharedWith === null
      ? []
      : [`shared with ${sharedWith.tool}: ${inert(sharedWith.location)}`],
    ...duplicateOf === null
      ? []
      : [`the same account as ${inert(duplicateOf)}`],
    ...account.upstream === null ? [] : [inert(account.upstream)],
    `id ${account.id}`,
  ];
}

/** Returns `sign-in ends 28 December, in 12d`, or that it has ended. */
function signInEnd(
  { signInEndsAt, label }: AccountFactsView,
  at: TimeView,
): readonly string[] {
  if (signInEndsAt === null) return [];
  const leftMs = signInEndsAt.ms - at.ms;
  const day = dayText(signInEndsAt.ms, at.ms);
  if (leftMs <= 0) {
    return [`sign-in ended ${day}: tc login --account ${commandWord(label)}`];
  }
  return [`sign-in ends ${day}, in ${durationText(leftMs)}`];
}

function loginText(
  { expiresAt, isRenewable, kind, needsLogin }: AccountFactsView,
  at: TimeView,
): string {
  if (needsLogin) return "the provider no longer accepts its login";
  if (expiresAt === null) {
    return kind === "setup_token"
      ? "end of the token unknown"
      : "never expires";
  }
  const leftMs = expiresAt.ms - at.ms;
  const when = leftMs > 0
    ? `access token for ${durationText(leftMs)}`
    : `access token ended ${durationText(-leftMs)} ago`;
  return isRenewable ? `${when}, renewed automatically` : when;
}
