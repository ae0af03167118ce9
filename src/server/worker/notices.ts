/**
 * What went wrong with the server's own files and wants a person, in words.
 *
 * @module
 */

import type { NoticeView } from "../../control/protocol.ts";
import type { AccountKeeper } from "./account_keeper.ts";
import type { LogLoss } from "../../records/log/log_loss.ts";

/** The vault's fallback, and logins that it has not taken yet. */
export function vaultNotices(accounts: AccountKeeper): readonly NoticeView[] {
  const { fallback } = accounts.describeVault();
  return [
    ...(fallback === null ? [] : [warning(fallback)]),
    ...lockedNotices(accounts),
    ...accounts.unsavedLabels.map((label): NoticeView => ({
      level: "error",
      text: `The renewed login of ${label} cannot be saved: it is in memory ` +
        "alone, and lost if the server ends before there is room",
      mend: null,
    })),
  ];
}

function lockedNotices({ locked }: AccountKeeper): readonly NoticeView[] {
  const [first] = locked;
  if (first === undefined) return [];
  const count = locked.length === 1
    ? "1 account is"
    : `${locked.length} accounts are`;
  return [{
    level: "error",
    text: `The keychain is locked: ${count} behind it and cannot serve yet`,
    mend: first.unlock,
  }];
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

function warning(text: string): NoticeView {
  return { level: "warn", text, mend: null };
}
