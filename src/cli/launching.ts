/**
 * What `tc run` and `tc env` need to know before a launch, and how a server is
 * started in the background.
 *
 * @module
 */

import { join } from "node:path";
import {
  managedFolders,
  readSettings,
  type SettingsLayer,
} from "../claude/client_settings.ts";
import { claudeFolder } from "../claude/claude_folder.ts";
import type {
  LaunchFacts,
  LoginMode,
  Variables,
} from "../claude/launch_variables.ts";
import { systemRunner } from "../app/command_runner.ts";
import { readHolder } from "../app/holder_note.ts";
import { socketPath } from "../app/socket_path.ts";
import { findClaudeLogin } from "../claude/own_login.ts";
import type { AccountId } from "../core/account.ts";
import { EXIT, TcError } from "../errors.ts";
import { storedAccounts } from "./accounts_store.ts";
import { folderFacts } from "./login_stores.ts";
import { withOpenFiles } from "./open_files.ts";
import { ownCommand } from "./own_command.ts";
import { anchored } from "./server_place.ts";
import type { Shell } from "./shell.ts";

const START_WAIT_MS = 15_000;
const LOOK_MS = 50;
const LOG_TAIL_LINES = 5;

/** The whole environment, for a child that must get it as it is. */
export function presentVariables(): Variables {
  return Deno.env.toObject();
}

/** What is known of a launch, with `made` as its mode without an own login. */
export async function launchFacts(
  shell: Shell,
  { account, made }: {
    readonly account: AccountId | null;
    readonly made: Exclude<LoginMode, "own_login">;
  },
): Promise<LaunchFacts> {
  const { settings } = shell.config;
  const hasOwnLogin = await findClaudeLogin(folderFacts(shell), systemRunner);
  return {
    origin: shell.origin,
    key: shell.key.reveal(),
    mode: hasOwnLogin ? "own_login" : made,
    ...await poolFacts(shell),
    silentMsMax: Math.max(settings.hold.silentMs, settings.hold.jsonMaxMs),
    holdMsMax: settings.hold.maxMs,
    account,
    policy: null,
    socket: null,
  };
}

/** The socket of a running server; where there is none, says why and is null. */
export function openSocket(shell: Shell): string | null {
  const path = socketPath(shell.config, shell.paths, Deno.build.os);
  const reason = path === null
    ? "proxy.socket is off, or its path would be too long"
    : socketTrouble(path);
  if (reason === null) return path;
  shell.output.say(`tc: no Unix socket (${reason}): going by the port`);
  return null;
}

function socketTrouble(path: string): string | null {
  try {
    return Deno.lstatSync(path).isSocket ? null : `${path} is no socket`;
  } catch {
    return `there is no ${path}`;
  }
}

/**
 * What the accounts of the pool decide: whether one has the 1-hour cache of a
 * subscription, and the default model. Claude Code starts with Opus for every
 * plan that it knows and for API keys; it knows no plan of a setup token.
 */
async function poolFacts(
  shell: Shell,
): Promise<Pick<LaunchFacts, "isSubscriptionPool" | "model">> {
  const { accounts } = await storedAccounts(shell);
  const kinds = accounts.filter(({ account }) => account.enabled)
    .map(({ account }) => account.kind);
  return {
    isSubscriptionPool: kinds.includes("subscription") ||
      kinds.includes("setup_token"),
    model: kinds.includes("subscription") || kinds.includes("api_key")
      ? "opus"
      : null,
  };
}

/** The settings of Claude Code as a launch with `args` reads them. */
export function clientSettings(
  shell: Shell,
  args: readonly string[],
): readonly SettingsLayer[] {
  return readSettings({
    userFile: claudeFolder(folderFacts(shell)).settingsFile,
    folder: Deno.cwd(),
    managed: managedFolders(Deno.build.os),
    args,
  });
}

export { ownCommand };

/**
 * Starts a server that outlives this process and waits until it answers. Its
 * log goes to a file in the state folder.
 */
export async function startInBackground(shell: Shell): Promise<void> {
  const { stateFolder } = shell.paths;
  await Deno.mkdir(stateFolder, { recursive: true, mode: 0o700 });
  const logFile = join(stateFolder, "server.log");
  const server = ["server", "--headless", "--log-file", logFile];
  const [program = "", ...args] = withOpenFiles(ownCommand(server));
  const child = new Deno.Command(program, {
    args,
    // Not in the caller's folder, which may be removed.
    cwd: stateFolder,
    env: anchored(shell.environment),
    stdin: "null",
    stdout: "null",
    stderr: "null",
    detached: true,
  }).spawn();
  child.unref();
  let code: number | null = null;
  child.status.then((status) => (code = status.code));
  const deadline = performance.now() + START_WAIT_MS;
  while (!await shell.isServing()) {
    if (code === EXIT.alreadyRunning) refuseElsewhere(shell);
    else if (code !== null) throw startFailed(logFile, code);
    if (performance.now() > deadline) throw startFailed(logFile, null);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  if (code === null) await giveUpSpare(shell, child);
}

/**
 * Another's server was quicker: ours, still on its way, must not become the
 * next one when somebody stops that.
 */
async function giveUpSpare(
  shell: Shell,
  child: Deno.ChildProcess,
): Promise<void> {
  try {
    const { pid } = await shell.client().health();
    if (pid !== child.pid) child.kill("SIGTERM");
  } catch {
    // It has ended by itself, or so has the server.
  }
}

/** Throws where the pool's server listens on another port than is asked for. */
function refuseElsewhere({ paths, origin }: Shell): void {
  const holder = readHolder(paths.stateFolder);
  if (holder === null) return;
  const { port } = new URL(holder.origin);
  if (port === new URL(origin).port) return;
  throw new TcError(
    `Cannot use ${origin}: the server of this pool (pid ${holder.pid}) listens on ${holder.origin}`,
    {
      code: "already_running",
      source: "user",
      exitCode: EXIT.alreadyRunning,
      hint: `TC_PROXY_PORT=${port} tc run   goes by it\n` +
        `TC_PROXY_PORT=${port} tc stop  ends it`,
    },
  );
}

function startFailed(logFile: string, code: number | null): TcError {
  const why = code === null
    ? `it did not answer within ${START_WAIT_MS / 1000} s`
    : `it ended with code ${code}`;
  const tail = logTail(logFile);
  return new TcError(`Cannot start the server: ${why}`, {
    code: "start_failed",
    exitCode: EXIT.unavailable,
    hint: [...tail, `The whole log: ${logFile}`].join("\n"),
  });
}

function logTail(file: string): readonly string[] {
  try {
    return Deno.readTextFileSync(file).trimEnd().split("\n").slice(
      -LOG_TAIL_LINES,
    );
  } catch {
    // It may have ended before it wrote a line.
    return [];
  }
}
