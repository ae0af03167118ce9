/**
 * Checks the pool: the server, its port, the vault, and each account's login.
 *
 * @module
 */

import type { AccountId } from "../../core/account.ts";
import { routeFaults } from "../../core/route/project_route.ts";
import { needsLoginText } from "../../control/status_view.ts";
import { stateText, storedStateText } from "../../control/state_text.ts";
import { join } from "node:path";
import type { AccountFactsView, StatusView } from "../../control/protocol.ts";
import {
  dayText,
  durationText,
  elapsedText,
  inert,
} from "../../control/words.ts";
import { hintOf, TcError } from "../../errors.ts";
import { accountsView } from "../../server/account_facts.ts";
import { systemClock } from "../../system/clock.ts";
import { localKey } from "../../config/local_key.ts";
import { buildInfo } from "../../release/version.ts";
import type { Shell } from "../shell.ts";
import { isNotRunning, openDesk } from "../accounts/account_work.ts";
import { storeAt } from "../login/login_stores.ts";
import { readFaults } from "../../records/log/fault_file.ts";
import {
  type DoctorContext,
  failure,
  failureOf,
  type Finding,
  fine,
  warning,
} from "./finding.ts";
import { commandWord } from "../../shell_words.ts";

/** Checks the server: port, version, and its last successful request. */
export async function checkServer(
  context: DoctorContext,
): Promise<readonly Finding[]> {
  const { shell } = context;
  const { host, port } = shell.address;
  const where = `${host}:${port}`;
  const broken = keyTrouble(context);
  if (broken !== null) return [broken];
  if (!hasKey(context)) return await checkPort(shell);
  try {
    const view = await shell.client(3_000).status();
    return [...serverFindings(view, where), ...noticeFindings(view)];
  } catch (cause) {
    if (isNotRunning(cause)) return await checkPort(shell);
    return [
      failure(
        "server",
        cause instanceof TcError ? cause.message : `${where} does not answer`,
        hintOf(cause, shell.person)?.replace(/ {3,}.*$/s, "") ??
          `tc config set proxy.port ${port + 1}`,
      ),
    ];
  }
}

/**
 * Returns whether there is a key; reading it would create one, and the doctor
 * leaves no trace.
 */
function hasKey({ shell }: DoctorContext): boolean {
  if (shell.config.settings.proxy.apiKey !== "") return true;
  try {
    return Deno.statSync(join(shell.paths.secretsFolder, "key")).isFile;
  } catch {
    return false;
  }
}

function keyTrouble(context: DoctorContext): Finding | null {
  const { shell } = context;
  if (!hasKey(context)) return null;
  try {
    localKey(shell.config, shell.paths, {
      random: () => 0,
      uuid: () => "",
      bytes: (length) => new Uint8Array(length),
    });
    return null;
  } catch (cause) {
    return failureOf("key", cause, { shell });
  }
}

/** Checks for bugs of tc that servers of this pool have logged. */
export function checkFaults(
  { shell }: DoctorContext,
): Promise<readonly Finding[]> {
  const last = readFaults(shell.paths).at(-1);
  if (last === undefined) return Promise.resolve([]);
  const count = readFaults(shell.paths).length;
  const what = count === 1 ? "a fault of tc was" : `${count} faults of tc were`;
  return Promise.resolve([
    warning(
      "faults",
      `${what} caught, the last at ${last.at}: ${inert(last.text)}`,
      "tc bugreport   collects what helps to fix it",
    ),
  ]);
}

/** Checks whether the port is free, when no tc answers there. */
async function checkPort(shell: Shell): Promise<readonly Finding[]> {
  const { host, port } = shell.config.settings.proxy;
  try {
    const connection = await Deno.connect({
      hostname: shell.address.host,
      port,
    });
    connection.close();
    return [
      failure(
        "server",
        `${host}:${port} is held by another program, not by tc`,
        `tc config set proxy.port ${port + 1}`,
      ),
    ];
  } catch {
    return [
      fine(
        "server",
        `none runs, and ${host}:${port} is free: tc run or server`,
      ),
    ];
  }
}

function serverFindings(view: StatusView, where: string): readonly Finding[] {
  const { version, pid, startedAt, state, vault } = view.server;
  const up = elapsedText(view.at.ms - startedAt.ms);
  const findings = [
    fine(
      "server",
      `${version} answers on ${where} (pid ${pid}, up ${up}, ${state})`,
    ),
    fine("vault", vault),
  ];
  const own = buildInfo().version;
  if (version !== own) {
    findings.push(
      warning("server", `it runs ${version}, this is ${own}`, "tc restart"),
    );
  }
  const last = view.activity.find(({ end }) => end === "complete");
  if (last !== undefined) {
    const ago = durationText(view.at.ms - last.at.ms);
    findings.push(fine("server", `last answer ${ago} ago, ${last.status}`));
  }
  return findings;
}

/**
 * Returns the server's notices as findings. A login that the provider refuses is
 * left out: checkAccounts() has it, with all else about the account.
 */
function noticeFindings(
  { accounts, notices }: StatusView,
): readonly Finding[] {
  const told = accounts.filter(({ word }) => word === "needs_login")
    .map(({ label }) => needsLoginText(label, ""));
  const others = notices.filter(({ text }) =>
    !told.some((start) => text.startsWith(start))
  );
  return others.map((
    { level, text, mend },
  ) => ({
    level: level === "error" ? "fail" as const : "warn" as const,
    topic: "server",
    text,
    fix: mend ?? "tc status",
  }));
}

/** Checks vault and logins in the files, with what a running server knows. */
export async function checkAccounts(
  context: DoctorContext,
): Promise<readonly Finding[]> {
  const { shell } = context;
  const { desk } = await openDesk(shell);
  const listing = await desk.list();
  const live = hasKey(context) ? await liveAccounts(shell) : null;
  const { accounts, orphans, damaged, unlisted } = accountsView(
    listing,
    live,
    systemClock.now(),
  );
  const findings: Finding[] = [
    ...damaged.map(({ id, reason, unlock }) =>
      failure(
        "vault",
        unlock === null
          ? `${id} cannot be opened: ${reason}`
          : `${id} is in the keychain, which is locked: ${reason}`,
        unlock ?? "tc login again",
      )
    ),
    ...orphans.map(({ name }) =>
      warning(
        "account",
        `${
          inert(name ?? "one without a name")
        } is in the config without a credential`,
        "tc login, or take it out of accounts[]",
      )
    ),
    ...unlisted.map(({ label }) =>
      warning(
        "account",
        `${
          inert(label)
        } is in the vault but not in the config, so it is not used`,
        `tc remove ${commandWord(label)}   or add it to accounts[]`,
      )
    ),
    ...(await Promise.all(
      accounts.map(async (account) =>
        accountFindings(account, await obstacleOf(account, shell))
      ),
    )).flat(),
  ];
  // A running server says it itself.
  if (live === null) {
    const faults = routeFaults(shell.config.routes, accountsIn(accounts));
    findings.push(...faults.map(({ text, isDead }) => {
      const found = isDead ? failure : warning;
      return found("routes", inert(text), "tc config get routes");
    }));
  }
  if (accounts.length === 0) {
    findings.push(warning("account", "there is none yet", "tc login"));
  } else if (accounts.every(({ enabled }) => !enabled)) {
    findings.push(
      failure("account", "all are disabled", "tc enable <account>"),
    );
  }
  return findings;
}

function accountsIn(
  accounts: readonly AccountFactsView[],
): Parameters<typeof routeFaults>[1] {
  return accounts.map(({ id, label }) => ({ id: id as AccountId, label }));
}

async function liveAccounts(
  shell: DoctorContext["shell"],
): Promise<ReadonlyMap<string, NonNullable<AccountFactsView["live"]>> | null> {
  try {
    const { accounts, notices } = await shell.client(3_000).status();
    return new Map(accounts.map((account) => {
      const start = needsLoginText(account.label, "");
      const notice = notices.find(({ text }) => text.startsWith(start));
      // The notice has the provider's reason, without the command to type.
      const reason = notice?.text.slice(account.label.length + 1) ??
        account.reason;
      return [account.id, { ...account, reason }];
    }));
  } catch (cause) {
    if (cause instanceof TcError) return null;
    throw cause;
  }
}

/** Returns why a successor could not be handed back to Claude Code, or null. */
async function obstacleOf(
  { sharedWith }: AccountFactsView,
  shell: DoctorContext["shell"],
): Promise<string | null> {
  if (sharedWith?.tool !== "claude_code") return null;
  try {
    return await storeAt(sharedWith.location, shell)?.obstacle() ?? null;
  } catch (cause) {
    if (cause instanceof TcError) return cause.message;
    throw cause;
  }
}

function accountFindings(
  account: AccountFactsView,
  obstacle: string | null,
): readonly Finding[] {
  const { live, expiresAt, sharedWith, duplicateOf } = account;
  const label = inert(account.label);
  const topic = `account ${label}`;
  const findings: Finding[] = [];
  if (duplicateOf !== null) {
    findings.push(warning(
      topic,
      `is the same account as ${inert(duplicateOf)}`,
      `tc remove ${commandWord(label)}`,
    ));
  }
  if (sharedWith !== null && sharedWith.tool !== "claude_code") {
    findings.push(warning(
      topic,
      `${
        inert(sharedWith.tool)
      } holds the same login and cannot hear of renewals: one of the two loses it`,
      `tc login --account ${commandWord(label)}   or stop ${
        inert(sharedWith.tool)
      }`,
    ));
  }
  if (obstacle !== null) {
    findings.push(warning(
      topic,
      `only Claude Code can renew this login: ${inert(obstacle)}`,
      `tc login --account ${commandWord(label)}   or make the file writable`,
    ));
  }
  if (live === null && account.needsLogin) {
    findings.push(failure(
      topic,
      "the provider no longer accepts its login",
      `tc login --account ${commandWord(label)}`,
    ));
    return findings;
  }
  if (live?.word === "needs_login" || live?.word === "quarantined") {
    findings.push(failure(
      topic,
      live.reason ?? "needs sign-in",
      live.mend ?? `tc login --account ${commandWord(label)}`,
    ));
    return findings;
  }
  const isOver = expiresAt !== null && expiresAt.ms < Date.now();
  if (isOver && !account.isRenewable) {
    findings.push(failure(
      topic,
      `its token ended on ${
        dayText(expiresAt.ms, Date.now())
      } and cannot be renewed`,
      `tc login --account ${commandWord(label)}`,
    ));
  }
  if (findings.length === 0) findings.push(fine(topic, stateOf(account)));
  return findings;
}

function stateOf(account: AccountFactsView): string {
  const now = Date.now();
  if (account.live !== null) return stateText(account.live, { now });
  const stored = storedStateText(account, now);
  return stored === "unknown" ? "has a login" : stored;
}
