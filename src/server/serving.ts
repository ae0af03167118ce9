/**
 * A server in this process from its start to its end: the order for its worker,
 * signals, changes of the config file, and the drain.
 *
 * @module
 */

import { basename, dirname, join } from "node:path";
import { systemClock } from "../system/clock.ts";
import type { Config } from "../config/config.ts";
import { machineSecret } from "../system/machine.ts";
import { type StoreAddress, storeAddress } from "../store/shared/address.ts";
import { grantSources, proxyUrl, workerGrants } from "./permissions.ts";
import { type Server, startServer } from "./supervisor.ts";
import { isNewer, updateFile } from "../release/upgrade.ts";
import { buildInfo } from "../release/version.ts";
import type { Asked, StartOrder } from "./worker_protocol.ts";
import { describePortTaken } from "./strangers.ts";
import { EXIT, reasonOf, TcError } from "../errors.ts";
import { NOTIFY_VARIABLE, notifyManager } from "../service/notify.ts";
import { Interrupts } from "../system/terminal_job.ts";
import type { NoticeEvent } from "./notices/conditions.ts";
import { NoticePrograms } from "./notices/programs.ts";
import { journalTo, type LogRecord } from "../records/log/journal.ts";
import type { Journal } from "../ports.ts";
import { strayVariables } from "../config/stray_variables.ts";
import { systemRunner } from "../system/command_runner.ts";
import { catchUncaught } from "../system/uncaught_errors.ts";
import { keepFault } from "../records/log/fault_file.ts";
import { handoverMs } from "../config/settings.ts";
import type { LogSink } from "../records/log/log_sink.ts";
import { openFiles, raiseOpenFiles } from "../system/open_files.ts";
import type { AccountChanges } from "./links/change_link.ts";
import type { ProjectFinder } from "./links/project_link.ts";
import type { FamilyOwners } from "../auth/shared/family_owners.ts";
import type { PoolSite } from "./pool_site.ts";
import {
  endPredecessor,
  startSuccessor,
  type Successor,
  waitForSuccessor,
} from "./succession.ts";
import { readIfThere } from "../store/files/atomic.ts";
import type { System } from "../variables.ts";
import { knownSignals } from "../signals.ts";

interface ServingOptions {
  readonly log: LogSink;
  /** Reads the config anew. Throws TcError where it cannot be used. */
  readonly readConfig: () => Config;
  /** Changes the account list, which the worker may not write. */
  readonly changes: AccountChanges;
  /** The stores of programs whose logins are in the vault as well. */
  readonly owners: FamilyOwners;
  /** Finds the repository of a session in the client's files. */
  readonly findProject: ProjectFinder;
  /**
   * How a restart starts the next server; null where there is none, as in the
   * demo.
   */
  readonly successor: Successor | null;
  /** The process whose port is taken over, or null. */
  readonly takesOverFrom: number | null;
}

/** A running server and the way to its end. */
export interface Serving {
  readonly server: Server;
  /** Resolves to the exit code when the server has ended. */
  readonly ended: Promise<number>;
  /**
   * Stops taking requests and lets open ones finish; a second call ends at
   * once.
   */
  stop(): void;
  /**
   * Ends the server: in order, as often as that is asked, or now, with what is
   * open cut.
   */
  end(how: "in_order" | "now"): void;
  /**
   * Starts the next server, which ends this one when it serves. Returns why it
   * cannot be started, or null.
   */
  restart(): string | null;
  /** Ignores Ctrl-C while `run` has another program on the terminal. */
  whileAway<Result>(run: () => Promise<Result>): Promise<Result>;
}

/** Starts the server of `site`'s pool. Throws TcError if it cannot. */
export async function startServing(
  site: PoolSite,
  options: ServingOptions,
): Promise<Serving> {
  const { takesOverFrom } = options;
  const signals = new Signals(site.system);
  await raiseOpenFiles(site.system);
  const order = await startOrder(site, {
    takesOver: takesOverFrom !== null,
    logForm: options.log.form,
  });
  const journal = journalOf(site, options);
  tellStart(journal, site);
  const asked = Promise.withResolvers<Serving>();
  const server = await startServer({
    order,
    grants: workerGrants(grantSources(site, storeOf(order))),
    owners: options.owners,
    findProject: options.findProject,
    changes: options.changes,
    onLog: ({ text, count, faults }) => {
      options.log.writeLines(text, count);
      for (const fault of faults) keepFault(site.paths, fault);
    },
    onAsked: (what) => {
      asked.promise.then((serving) => obey(what, serving, options));
    },
    onNotice: noticeTeller(site, options),
    onReady: () => notifyReady(site, options),
  }).catch(async (cause) => {
    signals.release();
    await options.log.close();
    if (!(cause instanceof TcError) || cause.code !== "port_taken") throw cause;
    throw await describePortTaken(
      cause,
      site.configuredOrigin.replace(/^https?:\/\//, ""),
      () => site.client(2_000).health(),
    );
  });
  options.log.watch((loss) => server.logLost(loss));
  const watch = await watchConfig(
    site.config.file,
    () => reload(server, options),
  );
  const serving = supervise(server, site, {
    ...options,
    watch,
    signals,
    journal,
  });
  asked.resolve(serving);
  if (takesOverFrom !== null) endPredecessor(takesOverFrom);
  return serving;
}

function journalOf(
  { config }: PoolSite,
  { log }: Pick<ServingOptions, "log">,
): Journal {
  return journalTo(log.write, systemClock, config.settings.log.level);
}

/** Writes the first lines of the log: which tc starts, and what it ignores. */
function tellStart(journal: Journal, { configuredOrigin }: PoolSite): void {
  journal.log("info", "starting", {
    version: buildInfo().version,
    pid: Deno.pid,
    address: configuredOrigin,
  });
  const names = Object.keys(Deno.env.toObject());
  for (const { name, nearest } of strayVariables(names)) {
    journal.log("warn", "variable", {
      name,
      reason: "no setting reads it",
      nearest,
    });
  }
}

/**
 * Tells the service manager that the server is ready; it would end a service
 * that never says so.
 */
async function notifyReady(
  { environment, configuredOrigin, paths }: PoolSite,
  options: ServingOptions,
): Promise<void> {
  const address = environment[NOTIFY_VARIABLE] ?? null;
  // Only this process speaks to the manager; a child must not.
  Deno.env.delete(NOTIFY_VARIABLE);
  try {
    await notifyManager({
      address,
      from: join(paths.stateFolder, `notify.${Deno.pid}`),
      lines: ["READY=1", `STATUS=Listens on ${configuredOrigin}`],
    });
  } catch (cause) {
    const reason = reasonOf(cause);
    tell(options, `cannot notify the service manager: ${reason}`);
  }
}

/** Returns what tells the desktop and the user's program of a notice. */
function noticeTeller(
  { config, system }: PoolSite,
  options: ServingOptions,
): (event: NoticeEvent) => void {
  const { command, desktop } = config.settings.notify;
  const programs = new NoticePrograms({
    command,
    isDesktop: desktop,
    system,
    runner: systemRunner,
    failed: (reason) => tell(options, `a notice was not told: ${reason}`),
  });
  return (event) => void programs.tell(event);
}

async function startOrder(
  site: PoolSite,
  given: Pick<StartOrder, "takesOver" | "logForm">,
): Promise<StartOrder> {
  const { config, paths, environment } = site;
  return {
    ...given,
    config,
    paths,
    version: buildInfo().version,
    pid: Deno.pid,
    system: site.system,
    person: site.person,
    key: site.key.reveal(),
    machine: await machineSecret(paths, site.system),
    store: await site.membership(),
    proxy: {
      url: proxyUrl(environment),
      except: environment["NO_PROXY"] || environment["no_proxy"] || "",
    },
    authorities: site.authorities.pem,
    newer: await newerRelease(site),
    openFiles: await openFiles(site.system),
  };
}

/** Returns where the store of the shared pool is, or null. */
function storeOf({ store }: StartOrder): StoreAddress | null {
  return store === null ? null : storeAddress(store.url);
}

/** Returns the newer release that the last look has found; null if none is. */
async function newerRelease(
  { config, environment, paths }: PoolSite,
): Promise<string | null> {
  if (!config.settings.update.check || environment["TC_NO_UPDATE_CHECK"]) {
    return null;
  }
  const found = (await textOf(updateFile(paths.stateFolder)))?.trim() ?? "";
  const isVersion = /^\d+\.\d+\.\d+$/.test(found);
  return isVersion && isNewer(found, buildInfo().version) ? found : null;
}

function supervise(
  server: Server,
  site: PoolSite,
  options: ServingOptions & {
    readonly watch: Disposable;
    readonly signals: Signals;
    readonly journal: Journal;
  },
): Serving {
  const ended = Promise.withResolvers<number>();
  const { signals } = options;
  const interrupts = new Interrupts();
  let isStopping = false;
  let successor: Deno.ChildProcess | null = null;
  function stop(): void {
    if (!isStopping) return end("in_order");
    // A second request asks for an end at once.
    server.terminate();
    ended.resolve(EXIT.interrupted);
  }
  function end(how: "in_order" | "now"): void {
    isStopping = true;
    const drainMs = drainTime(site, successor !== null);
    server.drain(how === "now" ? 0 : drainMs).finally(() => server.terminate())
      .then(() => ended.resolve(EXIT.ok), () => ended.resolve(EXIT.failed));
  }
  signals.on("SIGINT", () => interrupts.pass(stop));
  signals.on("SIGTERM", stop);
  signals.on("SIGHUP", () => reload(server, options));
  const strays = logUncaught(site, options);
  server.failed.catch((cause) => {
    tell(options, reasonOf(cause));
    ended.resolve(EXIT.failed);
  });
  async function over(): Promise<number> {
    const code = await ended.promise.finally(() => {
      signals.release();
      options.watch[Symbol.dispose]();
      strays[Symbol.dispose]();
    });
    options.journal.log("info", "stopped", { pid: Deno.pid, code });
    await options.log.close();
    const isWaitedFor = successor !== null && !options.successor?.isDetached;
    return isWaitedFor && successor !== null
      ? await waitForSuccessor(successor)
      : code;
  }
  return {
    server,
    stop,
    end: (how) => {
      if (!isStopping) end(how);
      else if (how === "now") stop();
    },
    restart: () => {
      if (options.successor === null || successor !== null) return null;
      const child = startSuccessor(options.successor, site.paths.stateFolder);
      if (typeof child === "string") return child;
      successor = child;
      child.status.then(({ code }) => {
        if (isStopping) return;
        successor = null;
        tell(options, `the next server ended with code ${code}`);
      });
      return null;
    },
    ended: over(),
    whileAway: (run) => interrupts.whileAway(run),
  };
}

/** Returns how long open requests get, in milliseconds. */
function drainTime(
  { config: { settings } }: PoolSite,
  isReplaced: boolean,
): number {
  return isReplaced ? handoverMs(settings) : settings.timeouts.drainMs;
}

/** Logs errors of this thread that nobody awaits; the thread continues. */
function logUncaught({ paths }: PoolSite, { log }: ServingOptions): Disposable {
  return catchUncaught(globalThis, (fault) => {
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
      return serving.end("in_order");
    case "stop_now":
      return serving.end("now");
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
    server.reload(options.readConfig());
  } catch (cause) {
    if (!(cause instanceof TcError)) throw cause;
    server.reloadFailed(cause);
  }
}

/** Signals that a server handles. */
const CAUGHT = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Some programs send these to every process; without a listener they would end it. */
const IGNORED = ["SIGUSR1", "SIGUSR2"] as const;

/**
 * The signals of a server's process. It catches them from its first moment,
 * because the port may answer before the rest is ready.
 */
class Signals {
  readonly #held: (readonly [Deno.Signal, () => void])[] = [];
  readonly #handlers = new Map<Deno.Signal, () => void>();
  readonly #early: Deno.Signal[] = [];

  /** Begins to catch them; a signal without a handler yet waits for one. */
  constructor(system: System) {
    for (const signal of knownSignals(CAUGHT, system)) {
      const listener = () => this.#take(signal);
      Deno.addSignalListener(signal, listener);
      this.#held.push([signal, listener]);
    }
    for (const signal of knownSignals(IGNORED, system)) {
      const listener = () => {};
      Deno.addSignalListener(signal, listener);
      this.#held.push([signal, listener]);
    }
  }

  /** Gives `handler` the signal from now on, and once if it has come already. */
  on(signal: Deno.Signal, handler: () => void): void {
    this.#handlers.set(signal, handler);
    const waiting = this.#early.filter((early) => early === signal);
    if (waiting.length > 0) handler();
  }

  release(): void {
    for (const [signal, listener] of this.#held.splice(0)) {
      Deno.removeSignalListener(signal, listener);
    }
  }

  #take(signal: Deno.Signal): void {
    const handler = this.#handlers.get(signal);
    if (handler !== undefined) return handler();
    // Nothing is served yet, and the signal came a second time.
    const isAgain = signal !== "SIGHUP" && this.#early.includes(signal);
    if (isAgain) Deno.exit(EXIT.interrupted);
    this.#early.push(signal);
  }
}

const QUIET_MS = 200;

/**
 * Calls `onChange` when the text of `file` has changed. Editors write in steps
 * and replace files, so it watches the folder and waits for a quiet moment. If
 * the folder cannot be watched, it does nothing; `tc reload` still works.
 */
async function watchConfig(
  file: string,
  onChange: () => void,
): Promise<Disposable> {
  const name = basename(file);
  let text = await textOf(file);
  let timer: ReturnType<typeof setTimeout> | null = null;
  const watcher = openWatcher(dirname(file));
  async function look(): Promise<void> {
    const now = await textOf(file);
    if (now === text) return;
    text = now;
    onChange();
  }
  async function follow(): Promise<void> {
    for await (const { paths } of watcher ?? []) {
      if (!paths.some((path) => basename(path) === name)) continue;
      if (timer !== null) clearTimeout(timer);
      timer = setTimeout(() => void look(), QUIET_MS);
    }
  }
  follow().catch(() => {
    // The folder is gone.
  });
  return {
    [Symbol.dispose](): void {
      if (timer !== null) clearTimeout(timer);
      watcher?.close();
    },
  };
}

function openWatcher(folder: string): Deno.FsWatcher | null {
  try {
    return Deno.watchFs(folder, { recursive: false });
  } catch {
    // There is no such folder, or the system has no watches left.
    return null;
  }
}

/**
 * Returns the text, or null if the file cannot be read now; its next change is
 * seen.
 */
async function textOf(file: string): Promise<string | null> {
  const bytes = await readIfThere(file).catch(() => null);
  return bytes === null ? null : new TextDecoder().decode(bytes);
}
