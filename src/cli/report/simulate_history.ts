/**
 * `tc simulate` on the user's own history: a self-check first, then the
 * policies side by side, and what another account would have changed.
 *
 * @module
 */

import { systemClock } from "../../system/clock.ts";
import { routeSettings } from "../../config/settings.ts";
import type { Tier } from "../../core/account.ts";
import type { PolicyName } from "../../core/settings.ts";
import { after, DAY_MS } from "../../core/time.ts";
import { TcError, UsageError } from "../../errors.ts";
import {
  compare,
  type CompareOptions,
  type Comparison,
} from "../../simulate/comparison.ts";
import { type History, historyOf } from "../../simulate/workload/history.ts";
import {
  type HistoryAccount,
  type SelfCheck,
  selfCheck,
} from "../../simulate/workload/history_fit.ts";
import { plan } from "../../simulate/workload/plans.ts";
import { play } from "../../simulate/play.ts";
import type {
  PlannedAccount,
  Workload,
} from "../../simulate/workload/workload.ts";
import { SpendSources } from "../../records/spend_report.ts";
import type { TranscriptAnswer } from "../../core/transcript.ts";
import { answersSince } from "../../store/history/history_report.ts";
import { readTranscripts } from "./read_transcripts.ts";
import {
  type HistoryRow,
  readHistory,
  UNKNOWN_ACCOUNT,
} from "../../store/ledger/ledger_history.ts";
import { storedAccounts } from "../accounts/account_work.ts";
import type { Shell } from "../shell.ts";

export interface HistoryQuery {
  readonly days: number;
  readonly policies: readonly PolicyName[];
  /** `+5x`, `-work`: accounts to add to those of the history, or to remove. */
  readonly accounts: readonly string[];
  readonly cacheTtlMs: number | null;
}

export interface HistoryAnswer {
  readonly days: number;
  readonly requests: number;
  /** Those from before tc or not through it; their account is not known. */
  readonly outside: number;
  readonly check: SelfCheck;
  /** Null if the self-check failed, so that no conclusion is possible. */
  readonly comparison: Comparison | null;
  readonly change: Change | null;
}

/**
 * What the added or removed accounts would have changed, under the same policy.
 */
interface Change {
  readonly accounts: readonly string[];
  readonly stalledHoursBefore: number;
  readonly stalledHoursAfter: number;
}

/** With fewer responses there is too little history. */
const REQUESTS_MIN = 50;

const TIERS: Readonly<Record<string, Tier>> = {
  pro: "pro",
  "5x": "max_5x",
  "20x": "max_20x",
};

/**
 * Returns the answered messages of the last days, by their start: those of the
 * ledger, and those that transcripts alone tell of.
 */
export async function recordedHistory(
  shell: Shell,
  days: number,
): Promise<readonly HistoryRow[]> {
  await readTranscripts(shell);
  try {
    using sources = new SpendSources(shell.paths.stateFolder, {
      hasTranscripts: shell.config.settings.history.transcripts,
    });
    const { ledger, history } = sources;
    const fromMs = systemClock.now() - days * DAY_MS;
    return [
      ...ledger === null ? [] : readHistory(ledger, fromMs),
      ...history === null ? [] : answersSince(history, fromMs).map(outsideRow),
    ].sort((a, b) => a.startedAt - b.startedAt);
  } catch (cause) {
    if (cause instanceof TcError && cause.code === "no_state") return [];
    throw cause;
  }
}

function outsideRow(answer: TranscriptAnswer): HistoryRow {
  const { session, agent, startedAt, at, model } = answer;
  return {
    askedAt: startedAt,
    startedAt,
    endedAt: at,
    waitedMs: 0,
    firstByteMs: null,
    conversation: agent === null ? session : `${session}/${agent}`,
    model: model ?? "",
    account: UNKNOWN_ACCOUNT,
    policy: "",
    isPrompt: answer.isPrompt,
    isSide: false,
    isCompacted: answer.isCompacted,
    isMoved: false,
    usage: answer.usage,
    spent5h: null,
    resets5h: null,
    spent7d: null,
    resets7d: null,
  };
}

export function isEnough(rows: readonly HistoryRow[]): boolean {
  return rows.length >= REQUESTS_MIN;
}

/** Returns what a replay shows; null without an account to replay it on. */
export async function simulateHistory(
  shell: Shell,
  rows: readonly HistoryRow[],
  { onPlay, ...query }: HistoryQuery & Pick<CompareOptions, "onPlay">,
): Promise<HistoryAnswer | null> {
  const accounts = await accountsOf(shell, rows);
  if (accounts.length === 0) return null;
  const settings = routeSettings(shell.config.settings);
  const history = historyOf(rows, {
    accounts,
    cacheReadWeight: settings.cacheReadWeight,
    cacheTtlMs: null,
  });
  const policy = query.policies.find((name) => name === history.policy) ??
    settings.policy;
  const { hold } = shell.config.settings;
  const check = selfCheck(history.workload, history.fits, {
    settings: { ...settings, policy },
    hold,
    unknownTokens: history.unknownTokens,
  });
  const { requests } = history;
  const outside = rows.filter(isOutside).length;
  const answer = { days: query.days, requests, outside, check };
  if (!check.isGood) return { ...answer, comparison: null, change: null };
  const wished = changed(history, query);
  return {
    ...answer,
    comparison: compare(() => wished, {
      seeds: [1],
      policies: query.policies,
      hold,
      ...(onPlay === undefined ? {} : { onPlay }),
    }),
    change: query.accounts.length === 0 ? null : {
      accounts: query.accounts,
      stalledHoursBefore: play(history.workload, { settings: { policy }, hold })
        .stalledHours,
      stalledHoursAfter:
        play(wished, { settings: { policy }, hold }).stalledHours,
    },
  };
}

/** Returns the accounts in the vault, and those that only the history knows. */
async function accountsOf(
  shell: Shell,
  rows: readonly HistoryRow[],
): Promise<readonly HistoryAccount[]> {
  const { accounts } = await storedAccounts(shell);
  const known = accounts.map(({ account }): HistoryAccount => ({
    id: account.id,
    label: account.label,
    tier: account.tier,
    kind: account.kind,
  }));
  const served = rows.filter((row) => !isOutside(row));
  const gone = [...new Set(served.map(({ account }) => account))]
    .filter((id) => !known.some((account) => account.id === id))
    .map((id): HistoryAccount => ({
      id,
      label: id,
      tier: "unknown",
      kind: "subscription",
    }));
  return [...known, ...gone];
}

function isOutside({ account }: HistoryRow): boolean {
  return account === UNKNOWN_ACCOUNT;
}

function changed(
  { workload }: History,
  { accounts: words, cacheTtlMs }: HistoryQuery,
): Workload {
  let accounts = workload.accounts;
  words.forEach((word, index) => {
    accounts = word.startsWith("-")
      ? without(accounts, word.slice(1))
      : [...accounts, added(word, index, workload)];
  });
  return {
    ...workload,
    accounts,
    cacheTtlMs: cacheTtlMs ?? workload.cacheTtlMs,
  };
}

function without(
  accounts: readonly PlannedAccount[],
  name: string,
): readonly PlannedAccount[] {
  const rest = accounts.filter((account) => account.name !== name);
  if (rest.length === accounts.length) {
    throw new UsageError(
      `Cannot leave ${name} out: the history has no such account`,
      `Accounts: ${accounts.map((account) => account.name).join(", ")}`,
    );
  }
  return rest;
}

const WEEK_HOURS = 168;

function added(
  word: string,
  index: number,
  { startsAt }: Workload,
): PlannedAccount {
  const tier = TIERS[word.replace(/^\+/, "")];
  if (tier === undefined) {
    throw new UsageError(
      `Cannot add ${word}: it must be one of +pro, +5x, +20x`,
    );
  }
  const usual = plan(`${word}-${index + 1}`, tier, { weekEndsIn: WEEK_HOURS });
  const weekMs = WEEK_HOURS * 3_600_000;
  return { ...usual, weekResetsAt: after(startsAt, weekMs) };
}
