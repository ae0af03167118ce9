/**
 * What a person should know about the server as it stands, for the status: the
 * vault, logins that are not saved, rules by project, lost lines of the log.
 *
 * @module
 */

import type { NoticeView } from "../../control/protocol.ts";
import type { PoolState } from "../../core/pool/pool.ts";
import { routeFaults } from "../../core/route/project_route.ts";
import type { LogLoss } from "../../records/log/log_sink.ts";
import type { AccountKeeper } from "../worker/account_keeper.ts";

/**
 * Returns notices of the vault's fallback and of logins that are not saved yet.
 */
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

/** Returns notices of rules by project that name no account of the pool. */
export function routeNotices(
  { routes, accounts }: Pick<PoolState, "routes" | "accounts">,
): readonly NoticeView[] {
  const known = [...accounts.values()].map(({ account }) => account);
  return routeFaults(routes, known).map(({ text, isDead }) => ({
    level: isDead ? "error" : "warn",
    text,
    mend: "tc config get routes",
  }));
}

/** Returns the notice of lost log lines. */
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
