/**
 * The main thread of a server: it starts the worker, gives up its own network,
 * and passes calls, logs and signals on.
 *
 * @module
 */

import type { LogLoss } from "../records/log/log_sink.ts";
import type { ControlAnswer, ControlTransport } from "../control/client.ts";
import type { FamilyOwners } from "../auth/shared/family_owners.ts";
import { hintOf, TcError } from "../errors.ts";
import {
  type KeychainTool,
  keychainTool,
} from "../store/vault/keychain_tools.ts";
import { type AccountChanges, answerChange } from "./links/change_link.ts";
import { type Config, priceBook } from "../config/config.ts";
import { routeSettings } from "../config/settings.ts";
import { tablesOf } from "../core/pricing.ts";
import { answerProject, type ProjectFinder } from "./links/project_link.ts";
import { answerReport } from "./links/report_link.ts";
import type { FenceAttempt, FenceTargets } from "./fence.ts";
import type { LogLines } from "../records/log/journal.ts";
import { systemRunner } from "../system/command_runner.ts";
import { answerKeychain } from "./links/keychain_link.ts";
import type { NoticeEvent } from "./notices/conditions.ts";
import { SimulationDesk } from "./links/simulation_link.ts";
import { OwnerDesk } from "./links/owner_link.ts";
import type { Grants } from "./permissions.ts";
import type {
  Asked,
  FromWorker,
  StartOrder,
  ToWorker,
} from "./worker_protocol.ts";

const KEYCHAIN_MS_MAX = 5_000;

interface ServerOptions {
  readonly order: StartOrder;
  readonly grants: Grants;
  readonly onLog: (lines: LogLines) => void;
  /** The stores of programs whose logins are in the vault as well. */
  readonly owners: FamilyOwners;
  /** Finds the repository of a session in the client's files. */
  readonly findProject: ProjectFinder;
  /** Changes the account list; the worker may not write the config. */
  readonly changes: AccountChanges;
  /** Tells the desktop and the user's program of a notice. */
  readonly onNotice: (event: NoticeEvent) => void;
  /** A client of the control plane asks the process for it. */
  readonly onAsked: (what: Asked) => void;
  /**
   * Called when the worker serves, just before this thread gives up its
   * network.
   */
  readonly onReady: () => Promise<void>;
}

/** A running server, as its own process holds it. */
export interface Server {
  readonly host: string;
  readonly port: number;
  readonly transport: ControlTransport;
  reload(config: Config): void;
  /**
   * Answers the client that asked for a restart; `trouble` is null if it has
   * begun.
   */
  restartAnswered(trouble: string | null): void;
  /** Answers the client that asked for a reload: the config cannot be read. */
  reloadFailed(error: TcError): void;
  /** Puts lost log lines into the status; null: none are lost any more. */
  logLost(loss: LogLoss | null): void;
  /**
   * Stops taking requests and lets streams finish. Resolves to the number of
   * streams that were cut.
   */
  drain(deadlineMs: number): Promise<number>;
  /** Ends the worker at once. */
  terminate(): void;
  /** Rejects if the worker dies by itself. */
  readonly failed: Promise<never>;
}

/**
 * Starts the worker. Rejects with the worker's own error if it cannot serve.
 */
export async function startServer(options: ServerOptions): Promise<Server> {
  const worker = startWorker(options.grants);
  const link = new WorkerLink(worker, options);
  link.post({ kind: "start", order: options.order });
  const ready = await link.ready.catch((cause) => {
    // A worker that listens for messages would keep the process alive.
    worker.terminate();
    throw cause;
  });
  await options.onReady();
  giveUpNetwork();
  return {
    host: ready.host,
    port: ready.port,
    transport: link.transport,
    reload: (config) => {
      link.config = config;
      link.post({ kind: "reload", config });
    },
    reloadFailed: (error) =>
      link.post({
        kind: "reload_failed",
        message: error.message,
        hint: hintOf(error, options.order.person),
      }),
    restartAnswered: (trouble) =>
      link.post({ kind: "restart_answer", trouble }),
    logLost: (loss) => link.post({ kind: "log_lost", loss }),
    drain: (deadlineMs) => {
      link.stopJobs();
      link.post({ kind: "drain", deadlineMs });
      return link.drained;
    },
    terminate: () => {
      link.stopJobs();
      worker.terminate();
    },
    failed: link.failed,
  };
}

/**
 * Returns what a worker with `grants` could do that it must not. The worker
 * serves nothing.
 */
export async function proveWorker(
  grants: Grants,
  targets: FenceTargets,
): Promise<readonly FenceAttempt[]> {
  const worker = startWorker(grants);
  const { promise, resolve, reject } = Promise.withResolvers<
    readonly FenceAttempt[]
  >();
  worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
    if (data.kind === "proved") resolve(data.attempts);
    if (data.kind === "failed") reject(new Error(data.message));
  };
  worker.onerror = (event) => {
    event.preventDefault();
    reject(new Error(event.message));
  };
  worker.postMessage({ kind: "prove", targets } satisfies ToWorker);
  try {
    return await promise;
  } finally {
    worker.terminate();
  }
}

function startWorker(grants: Grants): Worker {
  return new Worker(new URL("./worker/server_worker.ts", import.meta.url), {
    type: "module",
    name: "tc-server",
    deno: {
      permissions: {
        ...grants,
        env: grants.env === false ? false : [...grants.env],
        net: [...grants.net],
        read: [...grants.read],
        write: [...grants.write],
      },
    },
  });
}

/**
 * Revokes whole kinds of permission: revoking part of a broad grant silently
 * does nothing.
 */
export function giveUpNetwork(): void {
  for (const name of ["net", "sys", "ffi"] as const) {
    Deno.permissions.revokeSync({ name });
  }
}

class WorkerLink {
  readonly #worker: Worker;
  readonly #answers = new Map<number, (answer: ControlAnswer) => void>();
  readonly #listeners = new Set<(data: string) => void>();
  readonly #ready = Promise.withResolvers<{ host: string; port: number }>();
  readonly #drained = Promise.withResolvers<number>();
  readonly #failed = Promise.withResolvers<never>();
  /**
   * Stops the keychain's program when it prompts: a service has nobody to
   * answer.
   */
  readonly #keychain: KeychainTool | null;
  readonly #owners: OwnerDesk;
  readonly #simulations = new SimulationDesk();
  #calls = 0;
  /** The settings in use: a reload brings others. */
  config: Config;

  constructor(worker: Worker, options: ServerOptions) {
    this.#worker = worker;
    this.config = options.order.config;
    this.#keychain = keychainTool(options.order.system, {
      runner: systemRunner,
      timeoutMs: KEYCHAIN_MS_MAX,
    });
    this.#owners = new OwnerDesk(options.owners);
    // A failure before the server is ready is reported by `ready`.
    this.#failed.promise.catch(() => {});
    worker.onmessage = (event: MessageEvent<FromWorker>) =>
      this.#receive(event.data, options);
    worker.onerror = (event) => {
      event.preventDefault();
      this.#fail(
        new TcError(`Cannot go on serving: ${event.message}`, {
          code: "worker_died",
        }),
      );
    };
  }

  get ready(): Promise<{ host: string; port: number }> {
    return this.#ready.promise;
  }

  get drained(): Promise<number> {
    return this.#drained.promise;
  }

  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  post(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  /** Ends what runs beside the worker. */
  stopJobs(): void {
    this.#simulations.stop();
  }

  readonly transport: ControlTransport = {
    call: (method, path, body) => {
      const id = ++this.#calls;
      const { promise, resolve } = Promise.withResolvers<ControlAnswer>();
      this.#answers.set(id, resolve);
      this.post({ kind: "call", id, method, path, body });
      return promise;
    },
    events: (signal) => this.#events(signal),
  };

  async *#events(signal: AbortSignal): AsyncIterable<string> {
    const waiting: string[] = [];
    let wake = Promise.withResolvers<void>();
    function listen(data: string): void {
      waiting.push(data);
      wake.resolve();
    }
    signal.addEventListener("abort", () => wake.resolve(), { once: true });
    this.#listeners.add(listen);
    this.post({ kind: "subscribe", isOn: true });
    try {
      while (!signal.aborted) {
        await wake.promise;
        wake = Promise.withResolvers<void>();
        yield* waiting.splice(0);
      }
    } finally {
      this.#listeners.delete(listen);
      if (this.#listeners.size === 0) {
        this.post({ kind: "subscribe", isOn: false });
      }
    }
  }

  #receive(message: FromWorker, options: ServerOptions): void {
    switch (message.kind) {
      case "ready":
        return this.#ready.resolve(message);
      case "failed":
        return this.#fail(
          new TcError(message.message, {
            code: message.code,
            exitCode: message.exitCode,
            ...(message.hint === null ? {} : { hint: message.hint }),
          }),
        );
      case "log":
        return options.onLog(message.lines);
      case "answer": {
        this.#answers.get(message.id)?.(message);
        this.#answers.delete(message.id);
        return;
      }
      case "event": {
        for (const listen of this.#listeners) listen(message.data);
        return;
      }
      case "keychain_asked": {
        const { id, question } = message;
        answerKeychain(question, this.#keychain, options.order.person).then((
          answer,
        ) => this.post({ kind: "keychain_answer", id, answer }));
        return;
      }
      case "change_asked": {
        const { id, question } = message;
        answerChange(question, options.changes, options.order.person).then((
          answer,
        ) => this.post({ kind: "change_answer", id, answer }));
        return;
      }
      case "report_asked":
        return this.#report(message, options.order);
      case "simulation_asked": {
        const { id, call } = message;
        const view = this.#simulations.answer(call);
        return this.post({ kind: "simulation_answer", id, view });
      }
      case "project_asked": {
        const { id, session } = message;
        answerProject(session, options.findProject).then((project) =>
          this.post({ kind: "project_answer", id, project })
        );
        return;
      }
      case "owner_asked": {
        const { id, question } = message;
        this.#owners.answer(question).then((answer) =>
          this.post({ kind: "owner_answer", id, answer })
        );
        return;
      }
      case "drained":
        return this.#drained.resolve(message.cut);
      case "notice":
        return options.onNotice(message.event);
      case "asked":
        return options.onAsked(message.what);
      case "proved":
        // Only a worker of proveWorker sends this.
        return;
    }
  }

  #report(
    { id, question }: FromWorker & { readonly kind: "report_asked" },
    { paths: { stateFolder } }: StartOrder,
  ): void {
    const { config } = this;
    const pricesAsOf = tablesOf(priceBook(config))[0]?.asOf ?? "";
    const answer = answerReport(question, {
      stateFolder,
      pricesAsOf,
      hasTranscripts: config.settings.history.transcripts,
      cacheReadWeight: routeSettings(config.settings).cacheReadWeight,
    });
    this.post({ kind: "report_answer", id, answer });
  }

  #fail(error: TcError): void {
    this.stopJobs();
    this.#owners.close().catch(() => {
      // The locks end with this process.
    });
    this.#ready.reject(error);
    this.#failed.reject(error);
  }
}
