/**
 * What went wrong with the server's own files and wants a person, in words.
 *
 * @module
 */

import type { NoticeView } from "../control/protocol.ts";
import type { AccountKeeper } from "./account_keeper.ts";
import type { LogLoss } from "./worker_protocol.ts";

/** The vault's fallback, and logins that it has not taken yet. */
export function vaultNotices(accounts: AccountKeeper): readonly NoticeView[] {
  const { fallback } = accounts.describeVault();
  return [
    ...(fallback === null ? [] : [warning(fallback)]),
    ...accounts.unsavedLabels.map((label): NoticeView => ({
      level: "error",
      text: `The renewed login of ${label} cannot be saved: it is in memory ` +
        "alone, and lost if the server ends before there is room",
      mend: null,
    })),
  ];
}

/** An account whose credential is gone, though nobody removed it. */
export function lostLogin(label: string): string {
  return `The login of ${label} is gone: the last server had it, and nobody ` +
    "removed the account";
}

/** Log lines that are being lost. */
export function logNotices(loss: LogLoss | null): readonly NoticeView[] {
  if (loss === null) return [];
  const { where, reason, lines } = loss;
  const count = lines === 1 ? "1 line is lost" : `${lines} lines are lost`;
  return [
    warning(`The log cannot be written to ${where}: ${reason}; ${count}`),
  ];
}

/** Exchanges that could not be written into the folder of `--log-to`. */
export function exchangeNotices(
  lost: { readonly reason: string; readonly dropped: number } | null,
): readonly NoticeView[] {
  if (lost === null) return [];
  const { reason, dropped } = lost;
  const count = dropped === 1 ? "1 is lost" : `${dropped} are lost`;
  return [warning(`Exchanges cannot be written: ${reason}; ${count}`)];
}

function warning(text: string): NoticeView {
  return { level: "warn", text, mend: null };
}
