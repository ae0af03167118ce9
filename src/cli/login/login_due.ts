/**
 * `tc login --due`: every sign-in that ends within a week, or has ended, made
 * anew in one sitting.
 *
 * @module
 */

import { systemClock } from "../../system/clock.ts";
import { isDead } from "../../lineage.ts";
import { dayText, inert } from "../../control/words.ts";
import { signInOf } from "../../core/account.ts";
import type { Instant } from "../../core/time.ts";
import { EXIT, TcError, UsageError } from "../../errors.ts";
import type { AccountRecord } from "../../store/accounts.ts";
import { openDesk, tellServer } from "../accounts/account_work.ts";
import type { Shell } from "../shell.ts";
import { signIn } from "./signing_in.ts";

export interface DueOptions {
  readonly browser?: boolean | undefined;
  readonly name?: string | undefined;
  readonly account?: string | undefined;
}

interface Due {
  readonly label: string;
  readonly why: string;
}

/** One account as it went. */
interface Row {
  readonly account: string;
  readonly result: "updated" | "failed";
  readonly reason: string | null;
}

/** Signs in to all that are due, one after another; one that fails stops none. */
export async function loginDue(
  shell: Shell,
  { browser, name, account }: DueOptions,
): Promise<number> {
  if (name !== undefined || account !== undefined) {
    throw new UsageError(
      "Cannot combine --due with --name or --account: it finds the accounts itself",
      "tc login --account NAME   renews one",
    );
  }
  const { output } = shell;
  const due = await dueAccounts(shell);
  const rows: Row[] = [];
  for (const [index, { label, why }] of due.entries()) {
    output.say(`${index + 1} of ${due.length}: ${inert(label)} (${why})`);
    rows.push(
      await renew(label, browser === false ? "paste" : "browser", shell),
    );
  }
  if (rows.some(({ result }) => result === "updated")) await tellServer(shell);
  if (output.isJson) output.json({ schema: "tc.login_due/v1", accounts: rows });
  else if (due.length === 0) output.line("No sign-in ends within a week.");
  return rows.every(({ result }) => result === "updated")
    ? EXIT.ok
    : EXIT.needsLogin;
}

async function renew(
  label: string,
  method: "browser" | "paste",
  shell: Shell,
): Promise<Row> {
  const { output } = shell;
  try {
    await signIn(shell, { name: undefined, account: label, method });
    if (!output.isJson) output.line(`Updated ${inert(label)}.`);
    return { account: label, result: "updated", reason: null };
  } catch (cause) {
    const isCancelled = cause instanceof TcError &&
      cause.exitCode === EXIT.interrupted;
    // Ctrl-C ends the sitting.
    if (!(cause instanceof TcError) || isCancelled) throw cause;
    output.say(cause.message);
    return { account: label, result: "failed", reason: cause.message };
  }
}

/** What has ended first, then by their ends. */
async function dueAccounts(shell: Shell): Promise<readonly Due[]> {
  const { desk } = await openDesk(shell);
  const { accounts, entries } = await desk.list();
  const now = systemClock.now();
  const dead = new Set(entries.filter(isDead).map(({ id }) => id));
  return accounts
    .filter(({ account }) => account.enabled)
    .toSorted((a, b) => endOf(a) - endOf(b))
    .flatMap((record): readonly Due[] => {
      const { account } = record;
      const why = whyDue(record, dead.has(account.id), now);
      return why === null ? [] : [{ label: account.label, why }];
    });
}

function endOf({ account }: AccountRecord): number {
  return account.signInEndsAt ?? Infinity;
}

function whyDue(
  { account }: AccountRecord,
  isOver: boolean,
  now: Instant,
): string | null {
  const signIn = signInOf(account, now);
  if (signIn.kind === "lasts") return isOver ? "it needs a login" : null;
  return `its sign-in ${signIn.kind === "ended" ? "ended" : "ends"} ${
    dayText(signIn.at, now)
  }`;
}
