/**
 * Entry of the server worker. It may use only its listen address, the hosts
 * that the config names, and its own folders.
 *
 * @module
 */

import { EXIT, hintOf, reasonOf, TcError } from "../../errors.ts";
import type { Journal } from "../../ports.ts";
import { keychainText } from "../../store/vault/keychain_tools.ts";
import { systemClock } from "../../system/clock.ts";
import { ChangeAsker } from "../links/change_link.ts";
import { type Daemon, startDaemon } from "./daemon.ts";
import { EVERY_KIND, tryFence } from "../fence.ts";
import { journalTo, LogBatch } from "../../records/log/journal.ts";
import { KeychainAsker } from "../links/keychain_link.ts";
import { SimulationAsker } from "../links/simulation_link.ts";
import { ProjectAsker } from "../links/project_link.ts";
import { ReportAsker } from "../links/report_link.ts";
import { OwnerAsker } from "../links/owner_link.ts";
import { catchUncaught } from "../../system/uncaught_errors.ts";
import type { FromWorker, StartOrder, ToWorker } from "../worker_protocol.ts";
import type { PersonShell } from "../../shell_words.ts";
import type { System } from "../../variables.ts";

/** The global scope of the worker, as the link uses it. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  postMessage(message: FromWorker): void;
}

class ServerWorker {
  readonly #scope: WorkerScope;
  readonly #log = new LogBatch((lines) =>
    this.#scope.postMessage({ kind: "log", lines })
  );
  readonly #owners = new OwnerAsker((id, question) =>
    this.#scope.postMessage({ kind: "owner_asked", id, question })
  );
  readonly #changes = new ChangeAsker((id, question) =>
    this.#scope.postMessage({ kind: "change_asked", id, question })
  );
  readonly #reports = new ReportAsker((id, question) =>
    this.#scope.postMessage({ kind: "report_asked", id, question })
  );
  readonly #simulations = new SimulationAsker((id, call) =>
    this.#scope.postMessage({ kind: "simulation_asked", id, call })
  );
  readonly #projects = new ProjectAsker((id, session) =>
    this.#scope.postMessage({ kind: "project_asked", id, session })
  );
  #keychain: KeychainAsker | null = null;
  #daemon: Daemon | null = null;
  #unsubscribe: (() => void) | null = null;

  constructor(scope: WorkerScope) {
    this.#scope = scope;
  }

  /** Reports an error that nobody awaits. */
  stray(fault: string): void {
    const at = systemClock.now();
    this.#log.add({ at, level: "error", event: "stray", fields: { fault } });
  }

  async receive(message: ToWorker): Promise<void> {
    switch (message.kind) {
      case "start":
        return await this.#start(message.order);
      case "reload":
        return await this.#daemon?.reload(message.config);
      case "reload_failed":
        return this.#daemon?.reloadFailed(message.message, message.hint);
      case "restart_answer":
        return this.#daemon?.restartAnswered(message.trouble);
      case "log_lost":
        return this.#daemon?.logLost(message.loss);
      case "drain": {
        const cut = await this.#daemon?.drain(message.deadlineMs) ?? 0;
        this.#log.flush();
        return this.#scope.postMessage({ kind: "drained", cut });
      }
      case "call":
        return await this.#call(message);
      case "subscribe":
        return this.#subscribe(message.isOn);
      case "prove": {
        const attempts = await tryFence(message.targets, EVERY_KIND);
        return this.#scope.postMessage({ kind: "proved", attempts });
      }
      case "keychain_answer":
        return this.#keychain?.take(message.id, message.answer);
      case "change_answer":
        return this.#changes.take(message.id, message.answer);
      case "report_answer":
        return this.#reports.take(message.id, message.answer);
      case "simulation_answer":
        return this.#simulations.take(message.id, message.view);
      case "project_answer":
        return this.#projects.take(message.id, message.project);
      case "owner_answer":
        return this.#owners.take(message.id, message.answer);
    }
  }

  async #start(order: StartOrder): Promise<void> {
    this.#log.use(order.logForm);
    this.#keychain = keychainAsker(
      order.system,
      (id, question) =>
        this.#scope.postMessage({ kind: "keychain_asked", id, question }),
    );
    try {
      this.#daemon = await startDaemon({
        order,
        journal: this.#journal(order),
        owners: this.#owners,
        changes: this.#changes,
        reports: this.#reports,
        projects: this.#projects,
        simulations: this.#simulations,
        keychain: this.#keychain,
        ask: (what) => this.#scope.postMessage({ kind: "asked", what }),
        tell: (event) => this.#scope.postMessage({ kind: "notice", event }),
      });
      const { host, port } = this.#daemon;
      this.#scope.postMessage({ kind: "ready", host, port });
    } catch (cause) {
      this.#log.flush();
      this.#scope.postMessage({
        kind: "failed",
        ...failure(cause, order.person),
      });
    }
  }

  #journal(order: StartOrder): Journal {
    return journalTo(
      this.#log.add,
      systemClock,
      order.config.settings.log.level,
    );
  }

  async #call(message: ToWorker & { readonly kind: "call" }): Promise<void> {
    const { id, method, path, body } = message;
    const request = new Request(`http://tc${path}`, {
      method,
      body,
      ...(body === null
        ? {}
        : { headers: { "content-type": "application/json" } }),
    });
    const response = await this.#daemon?.control(request);
    const answer = {
      status: response?.status ?? 503,
      body: await response?.text() ?? "",
    };
    this.#scope.postMessage({ kind: "answer", id, ...answer });
  }

  #subscribe(isOn: boolean): void {
    this.#unsubscribe?.();
    this.#unsubscribe = isOn
      ? this.#daemon?.feed.listen((data) =>
        this.#scope.postMessage({ kind: "event", data })
      ) ??
        null
      : null;
  }
}

/**
 * Returns the system's keychain, asked through the main thread; null if there
 * is none.
 */
function keychainAsker(
  system: System,
  post: ConstructorParameters<typeof KeychainAsker>[1],
): KeychainAsker | null {
  const text = keychainText(system);
  return text === null ? null : new KeychainAsker(text, post);
}

function failure(
  cause: unknown,
  person: PersonShell | null,
): Omit<FromWorker & { readonly kind: "failed" }, "kind"> {
  if (cause instanceof TcError) {
    const { code, message, exitCode } = cause;
    return { code, message, hint: person && hintOf(cause, person), exitCode };
  }
  const reason = reasonOf(cause);
  return {
    code: "unexpected",
    message: `Cannot start the server: ${reason}`,
    hint: null,
    exitCode: EXIT.failed,
  };
}

const scope = self as unknown as WorkerScope;
const server = new ServerWorker(scope);
catchUncaught(self, (fault) => server.stray(fault));
scope.onmessage = (event): void => {
  server.receive(event.data).catch((cause) => {
    scope.postMessage({ kind: "failed", ...failure(cause, null) });
  });
};
