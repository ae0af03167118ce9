/**
 * `tc server`: runs the proxy in the foreground.
 *
 * @module
 */

import { join, resolve } from "node:path";
import { type Command, Option } from "@commander-js/extra-typings";
import { UsageError } from "../../errors.ts";
import { isInForeground } from "../../system/terminal_job.ts";
import { type LogSink, logSink } from "../../records/log/log_sink.ts";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import { type Serving, startServing } from "../../server/serving.ts";
import {
  absolutePaths,
  enterStateFolder,
} from "../../server/working_folder.ts";
import type { Successor } from "../../server/succession.ts";
import { lookDaily } from "../report/daily_look.ts";
import { Shell } from "../shell.ts";
import { systemClock } from "../../system/clock.ts";
import { openDesk, storedAccounts } from "../accounts/account_work.ts";
import { familyOwners, projectFinder } from "../login/login_stores.ts";
import { noticeUpdate } from "../setup/upgrade.ts";
import { withMoreFiles } from "./more_files.ts";

interface ServerFlags {
  readonly port?: string | undefined;
  readonly host?: string | undefined;
  readonly headless?: boolean | undefined;
  readonly logFile?: string | undefined;
  readonly logTo?: string | undefined;
  /** The process whose port this one takes over. */
  readonly takeOver?: string | undefined;
}

const TEXT: CommandText = {
  name: "server",
  group: "start",
  summary: "Run the proxy in the foreground",
  examples: ["tc server", "tc server --port 3460 --headless"],
  schema: null,
};

export function registerServer(program: Command, registry: Registry): void {
  addCommand(program, registry, TEXT)
    .option("--port <number>", "Listen on this port")
    .option("--host <address>", "Listen on this address")
    .option("--headless", "Log lines instead of the live view")
    .option("--log-file <file>", "Write the log lines into this file")
    .option("--log-to <folder>", "Write one file per request to this folder")
    .addOption(new Option("--take-over <pid>").hideHelp())
    .action(registry.run(async (given) => {
      const flags = withWholePaths(given);
      const paths = absolutePaths(registry.environment);
      // The next server inherits them and has another working directory.
      for (const [name, path] of Object.entries(paths)) {
        Deno.env.set(name, path);
      }
      const { system } = registry;
      const environment = { ...registry.environment, ...paths };
      const make = () =>
        new Shell({ environment, system }, {}, settingsOf(flags));
      return await withMoreFiles(() => serve(make, flags), system);
    }));
}

function withWholePaths(flags: ServerFlags): ServerFlags {
  const { logFile, logTo } = flags;
  return {
    ...flags,
    logFile: logFile === undefined ? undefined : resolve(logFile),
    logTo: logTo === undefined ? undefined : resolve(logTo),
  };
}

/** Returns how the next server is started. */
function successorOf(
  { port, host, logTo }: ServerFlags,
  logFile: string | null,
): Successor {
  return {
    args: [
      "server",
      "--headless",
      ...(port === undefined ? [] : ["--port", port]),
      ...(host === undefined ? [] : ["--host", host]),
      ...(logFile === null ? [] : ["--log-file", logFile]),
      ...(logTo === undefined ? [] : ["--log-to", logTo]),
      "--take-over",
      String(Deno.pid),
    ],
    isDetached: logFile !== null,
  };
}

/** Returns the flags as settings, by dotted key. */
function settingsOf(
  { port, host, logTo }: ServerFlags,
): Readonly<Record<string, unknown>> {
  return {
    ...(port === undefined ? {} : { "proxy.port": wholeNumber(port) }),
    ...(host === undefined ? {} : { "proxy.host": host }),
    ...(logTo === undefined ? {} : { "log.to": logTo }),
  };
}

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) {
    throw new UsageError(`Cannot use port ${text}: it must be a number`);
  }
  return Number(text);
}

async function serve(make: () => Shell, flags: ServerFlags): Promise<number> {
  const shell = make();
  const { accounts } = await storedAccounts(shell);
  const hasDeck = !flags.headless && flags.logFile === undefined &&
    shell.hasScreen && isInForeground(shell.system);
  const file = flags.logFile ?? (hasDeck ? deckLog(shell) : null);
  const log = logSink(file, shell.environment);
  await enterStateFolder(shell.paths);
  // The main thread gives up its network once the server runs.
  if (flags.takeOver === undefined) await noticeUpdate(shell);
  const serving = await startServing(shell, {
    log,
    readConfig: () => make().config,
    // Open it now: later this thread may not read the vault's key.
    changes: (await openDesk(shell)).desk,
    owners: familyOwners(shell),
    findProject: projectFinder(shell),
    successor: successorOf(flags, file),
    takesOverFrom: flags.takeOver === undefined
      ? null
      : wholeNumber(flags.takeOver),
  });
  keepTranscripts(make, log, serving);
  if (hasDeck) {
    const { serveWithDeck } = await import("./deck_shell.ts");
    return await serveWithDeck(shell, serving);
  }
  const { host, port } = serving.server;
  if (flags.logFile === undefined) {
    shell.output.say(`tc listens on http://${host}:${port}`);
    if (accounts.length === 0) {
      shell.output.say("No accounts yet: tc login adds one");
    }
  }
  return await serving.ended;
}

/** Looks at the transcripts once a day, until the server ends. */
function keepTranscripts(
  make: () => Shell,
  log: LogSink,
  { ended }: Serving,
): void {
  const end = new AbortController();
  const failed = (reason: string) =>
    log.write({
      at: systemClock.now(),
      level: "warn",
      event: "transcripts",
      fields: { reason },
    });
  void lookDaily({ make, clock: systemClock, failed, signal: end.signal });
  ended.finally(() => end.abort()).catch(() => {
    // Who waits for the end is told why.
  });
}

/**
 * Returns the log file of a server with the Deck: log lines would disturb the
 * screen.
 */
function deckLog(shell: Shell): string {
  const { stateFolder } = shell.paths;
  Deno.mkdirSync(stateFolder, { recursive: true, mode: 0o700 });
  return join(stateFolder, "server.log");
}
