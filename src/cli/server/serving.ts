/**
 * A server in this process from its start to its end: the order for its
 * worker, signals, reloads, and the drain.
 *
 * @module
 */

import { join } from "node:path";
import { systemClock } from "../../system/clock.ts";
import type { Config } from "../../config/config.ts";
import { watchConfig } from "../../config/config_watch.ts";
import { machineSecret } from "../../system/machine.ts";
import { type GrantSources, workerGrants } from "../../server/permissions.ts";
import { type Server, startServer } from "../../server/supervisor.ts";
import { buildInfo } from "../../release/version.ts";
import type { Asked, StartOrder } from "../../server/worker_protocol.ts";
import { StrangerError } from "../../control/client.ts";
import { EXIT, reasonOf, TcError } from "../../errors.ts";
import { NOTIFY_VARIABLE, notifyManager } from "../../service/notify.ts";
import { parseProxy } from "../../http/upstream/proxy_rules.ts";
import { accountRows } from "../../store/account_rows.ts";
import { openDesk } from "../accounts/account_work.ts";
import { familyOwners } from "../login/import_places.ts";
import { Interrupts } from "./interrupts.ts";
import type { LogRecord } from "../../records/log/journal.ts";
import { catchStrays } from "../../system/strays.ts";
import { keepFault } from "../../records/log/fault_file.ts";
import { handoverMs } from "../../config/settings.ts";
import type { LogSink } from "../../records/log/log_sink.ts";
import { openFiles, raiseOpenFiles } from "../../system/open_files.ts";
import type { Shell } from "../shell.ts";
import { Signals } from "../../server/signals.ts";
import {
  standInFor,
  startSuccessor,
  type Successor,
  yieldTo,
} from "./succession.ts";

export interface ServingOptions {
  readonly log: LogSink;
  /** Makes the shell anew, with the files as they are by then. */
  readonly again: () => Shell;
  /** How a restart goes on; null where there is none, as in the demo. */
  readonly successor: Successor | null;
  /** The process whose port is taken over, or null. */
  readonly takesOverFrom: number | null;
}

/** A running server and the way to its end. */
export interface Serving {
  readonly server: Server;
  /** The exit code, when the server has ended. */
  readonly ended: Promise<number>;
  /** Stops taking requests and lets the answers end. */
  stop(): void;
  /**
   * Starts the next server, which ends this one when it serves. Returns why it
   * cannot be started, or null.
   */
  restart(): string | null;
  /** Ctrl-C is meant for the program that `run` has on the terminal. */
  whileAway<Result>(run: () => Promise<Result>): Promise<Result>;
}

/** Starts the server of `shell`'s pool; throws TcError where it cannot. */
export async function startServing(
  shell: Shell,
  options: ServingOptions,
): Promise<Serving> {
  const { takesOverFrom } = options;
  const signals = new Signals();
  await raiseOpenFiles();
  const order = await startOrder(shell, takesOverFrom !== null);
  // Opened before this thread gives up what finding the vault's key takes.
  const { desk } = await openDesk(shell);
  const asked = Promise.withResolvers<Serving>();
  const server = await startServer({
    order,
    grants: workerGrants(grantSources(shell)),
    owners: familyOwners(shell),
    changes: desk,
    onLog: (record) => {
      options.log.write(record);
      keepFault(shell.paths, record);
    },
    onAsked: (what) => {
      asked.promise.then((serving) => obey(what, serving, options));
    },
    onReady: () => tellManager(shell, options),
  }).catch(async (cause) => {
    signals.release();
    await options.log.close();
    throw await whoIsThere(cause, shell);
  });
  options.log.watch((loss) => server.logLost(loss));
  const watch = await watchConfig(
    shell.config.file,
    () => reload(server, options),
  );
  const serving = supervise(server, shell, { ...options, watch, signals });
  asked.resolve(serving);
  if (takesOverFrom !== null) yieldTo(takesOverFrom);
  return serving;
}

/** A manager that waits for this word ends a service that never says it. */
async function tellManager(
  { environment, origin, paths }: Shell,
  options: ServingOptions,
): Promise<void> {
  const address = environment[NOTIFY_VARIABLE] ?? null;
  // It is this process that the manager hears: no child is to speak for it.
  Deno.env.delete(NOTIFY_VARIABLE);
  try {
    await notifyManager({
      address,
      from: join(paths.stateFolder, `notify.${Deno.pid}`),
      lines: ["READY=1", `STATUS=Listens on ${origin}`],
    });
  } catch (cause) {
    const reason = reasonOf(cause);
    tell(options, `the service manager cannot be told: ${reason}`);
  }
}

/** What the server's grants follow from. */
export function grantSources(
  { config, paths, environment }: Shell,
): GrantSources {
  const proxies = [proxyUrl(environment)].filter((url) => url !== "");
  return {
    config,
    paths,
    system: Deno.build.os,
    proxies,
    origins: backendOrigins(config),
  };
}

/** The corporate proxy of the environment. Throws TcError if it is no URL. */
function proxyUrl(environment: Shell["environment"]): string {
  const named = environment["HTTPS_PROXY"] || environment["https_proxy"] || "";
  return parseProxy(named)?.href ?? "";
}

async function startOrder(
  shell: Shell,
  takesOver: boolean,
): Promise<StartOrder> {
  const { config, paths, environment } = shell;
  return {
    config,
    paths,
    version: buildInfo().version,
    pid: Deno.pid,
    key: shell.key.reveal(),
    machine: await machineSecret(paths),
    proxy: {
      url: proxyUrl(environment),
      except: environment["NO_PROXY"] || environment["no_proxy"] || "",
    },
    authorities: shell.authorities.pem,
    takesOver,
    openFiles: await openFiles(),
  };
}

/** Where backends of the config are; the worker may reach no other host. */
function backendOrigins(config: Config): readonly string[] {
  return (accountRows(config.document, config.file) ?? [])
    .flatMap(({ upstream }) => upstream === null ? [] : [upstream]);
}

/** A taken port, with the name of who has it. */
async function whoIsThere(cause: unknown, shell: Shell): Promise<unknown> {
  if (!(cause instanceof TcError) || cause.code !== "port_taken") return cause;
  const where = shell.origin.replace(/^https?:\/\//, "");
  try {
    const { version, pid } = await shell.client(2_000).health();
    return new TcError(
      `Cannot listen on ${where}: tc ${version} (pid ${pid}) is already there`,
      {
        code: "already_running",
        source: "user",
        exitCode: EXIT.alreadyRunning,
        hint: "tc watch   shows it\ntc stop    ends it",
      },
    );
  } catch (trial) {
    if (trial instanceof StrangerError) {
      const message = trial.message.replace(
        /^Cannot use /,
        "Cannot listen on ",
      );
      return new TcError(message, {
        code: "port_taken",
        source: "user",
        exitCode: EXIT.alreadyRunning,
        hint: trial.hint ?? "tc server --port 3460   listens on another port",
      });
    }
    return new TcError(cause.message, {
      code: "port_taken",
      source: "user",
      exitCode: EXIT.alreadyRunning,
      hint: "tc server --port 3460   listens on another port",
    });
  }
}

function supervise(
  server: Server,
  shell: Shell,
  options: ServingOptions & {
    readonly watch: Disposable;
    readonly signals: Signals;
  },
): Serving {
  const ended = Promise.withResolvers<number>();
  const { signals } = options;
  const interrupts = new Interrupts();
  let isStopping = false;
  let successor: Deno.ChildProcess | null = null;
  function stop(): void {
    if (isStopping) {
      // The second wish is for an end at once.
      server.terminate();
      ended.resolve(EXIT.interrupted);
      return;
    }
    isStopping = true;
    const { settings } = shell.config;
    const drainMs = successor !== null
      ? handoverMs(settings)
      : settings.timeouts.drainMs;
    server.drain(drainMs).finally(() => server.terminate())
      .then(() => ended.resolve(EXIT.ok), () => ended.resolve(EXIT.failed));
  }
  signals.on("SIGINT", () => interrupts.pass(stop));
  signals.on("SIGTERM", stop);
  signals.on("SIGHUP", () => reload(server, options));
  const strays = strayLog(shell, options);
  server.failed.catch((cause) => {
    tell(options, reasonOf(cause));
    ended.resolve(EXIT.failed);
  });
  async function end(): Promise<number> {
    const code = await ended.promise.finally(() => {
      signals.release();
      options.watch[Symbol.dispose]();
      strays[Symbol.dispose]();
    });
    await options.log.close();
    const isWaitedFor = successor !== null && !options.successor?.isDetached;
    return isWaitedFor && successor !== null
      ? await standInFor(successor)
      : code;
  }
  return {
    server,
    stop,
    restart: () => {
      if (options.successor === null || successor !== null) return null;
      const child = startSuccessor(options.successor, shell.paths.stateFolder);
      if (typeof child === "string") return child;
      successor = child;
      child.status.then(({ code }) => {
        if (isStopping) return;
        successor = null;
        tell(options, `the next server ended with code ${code}`);
      });
      return null;
    },
    ended: end(),
    whileAway: (run) => interrupts.whileAway(run),
  };
}

/** Logs errors of this thread that nobody awaits, and lets it go on. */
function strayLog({ paths }: Shell, { log }: ServingOptions): Disposable {
  return catchStrays(globalThis, (fault) => {
    const record: LogRecord = {
      at: systemClock.now(),
      level: "error",
      event: "stray",
      fields: { fault },
    };
    log.write(record);
    keepFault(paths, record);
  });
}

function tell({ log }: ServingOptions, reason: string): void {
  log.write({
    at: systemClock.now(),
    level: "error",
    event: "server",
    fields: { reason },
  });
}

function obey(what: Asked, serving: Serving, options: ServingOptions): void {
  switch (what) {
    case "stop":
      return serving.stop();
    case "restart":
      return restart(serving, options);
    case "reload":
      return reload(serving.server, options);
  }
}

function restart(serving: Serving, options: ServingOptions): void {
  const trouble = serving.restart();
  if (trouble !== null) tell(options, trouble);
  serving.server.restartAnswered(trouble);
}

function reload(server: Server, options: ServingOptions): void {
  try {
    server.reload(options.again().config);
  } catch (cause) {
    if (!(cause instanceof TcError)) throw cause;
    server.reloadFailed(cause);
  }
}
