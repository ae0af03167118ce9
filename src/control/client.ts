/**
 * The client of the control plane, used by the CLI and the Deck. Its transport
 * is HTTP from another process, or messages from the server's main thread,
 * which has no network.
 *
 * @module
 */

import { EXIT, TcError } from "../errors.ts";
import type { Secret } from "../ports.ts";
import type { CurvesView } from "./protocol.ts";
import { patched, type WatchMessage } from "./status_patch.ts";
import type { ExplainView } from "./explain_view.ts";
import {
  type AccountsView,
  type CapacityView,
  CONTROL,
  type ErrorView,
  type HealthView,
  type StatusView,
} from "./protocol.ts";
import {
  notRunning,
  placeOf,
  type ServerAddress,
  ServerConnection,
  StrangerError,
} from "./server_connection.ts";

export { notRunning, StrangerError } from "./server_connection.ts";

export interface ControlAnswer {
  readonly status: number;
  readonly body: string;
}

export interface ControlTransport {
  /** Throws TcError `not_running` when no server answers. */
  call(
    method: string,
    path: string,
    body: string | null,
  ): Promise<ControlAnswer>;
  /** Yields the `data:` lines of the event stream, until `signal` aborts. */
  events(signal: AbortSignal): AsyncIterable<string>;
  /**
   * Yields the `data:` lines of the stream of changes, until `signal` aborts.
   * Absent inside the server's own process, which asks for the status.
   */
  readonly watch?: (signal: AbortSignal) => AsyncIterable<string>;
}

export class ControlClient {
  readonly #transport: ControlTransport;

  constructor(transport: ControlTransport) {
    this.#transport = transport;
  }

  health(): Promise<HealthView> {
    return this.#json("GET", CONTROL.health);
  }

  status(): Promise<StatusView> {
    return this.#json("GET", CONTROL.status);
  }

  curves(): Promise<CurvesView> {
    return this.#json("GET", CONTROL.curves);
  }

  capacity(): Promise<CapacityView> {
    return this.#json("GET", CONTROL.capacity);
  }

  accounts(): Promise<AccountsView> {
    return this.#json("GET", CONTROL.accounts);
  }

  /** Returns the path of the account with this name or id. */
  accountPath(wanted: string): string {
    return `${CONTROL.accounts}/${encodeURIComponent(wanted)}`;
  }

  /** Explains a session or request; null is the last one used. */
  explain(session: string | null): Promise<ExplainView> {
    const query = session === null ? "" : `?of=${encodeURIComponent(session)}`;
    return this.#json("GET", `${CONTROL.explain}${query}`);
  }

  get(path: string): Promise<unknown> {
    return this.#json("GET", path);
  }

  send(method: string, path: string, body: unknown): Promise<unknown> {
    return this.#json(method, path, body);
  }

  /** Returns the raw answer, for calls whose answer is not tc's. */
  raw(
    method: string,
    path: string,
    body: string | null,
  ): Promise<ControlAnswer> {
    return this.#transport.call(method, path, body);
  }

  events(signal: AbortSignal): AsyncIterable<string> {
    return this.#transport.events(signal);
  }

  /** Whether the server tells what changes, so that nobody need ask. */
  get isTold(): boolean {
    return this.#transport.watch !== undefined;
  }

  /** Yields the status at first and after each change. */
  async *watch(signal: AbortSignal): AsyncIterable<StatusView> {
    let status: StatusView | null = null;
    for await (const data of this.#transport.watch?.(signal) ?? []) {
      const message = JSON.parse(data) as WatchMessage;
      if (message.kind === "status") status = message.status;
      else if (status !== null) status = patched(status, message.patch);
      if (status !== null) yield status;
    }
  }

  async #json<View>(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<View> {
    const text = body === undefined ? null : JSON.stringify(body);
    const answer = await this.#transport.call(method, path, text);
    const parsed = parse(answer.body);
    if (answer.status < 300) return parsed as View;
    throw errorFrom(parsed, answer.status);
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * Exit codes by error code, the same as when the error arises in the command
 * itself.
 */
const EXIT_OF: Readonly<Record<string, number>> = {
  no_such_account: EXIT.usage,
  usage: EXIT.usage,
  no_such_session: EXIT.usage,
  ambiguous_session: EXIT.usage,
  bad_config: EXIT.badConfig,
  needs_login: EXIT.needsLogin,
  credential_unavailable: EXIT.tryLater,
  account_in_use: EXIT.tryLater,
  all_closed: EXIT.tryLater,
  no_permission: EXIT.noPermission,
  disk_full: EXIT.cannotWrite,
  read_only: EXIT.cannotWrite,
};

/** Returns the server's error with its code, message and hint. */
function errorFrom(parsed: unknown, status: number): TcError {
  const { error } = (parsed ?? {}) as Partial<ErrorView>;
  return new TcError(
    error?.message ?? `Cannot use the server's answer: status ${status}`,
    {
      code: error?.code ?? "bad_answer",
      source: "internal",
      exitCode: EXIT_OF[error?.code ?? ""] ?? EXIT.failed,
      ...(error?.hint ? { hint: error.hint } : {}),
    },
  );
}

interface HttpTransportOptions {
  readonly address: ServerAddress;
  readonly key: Secret;
  /** Time for one answer, in milliseconds. */
  readonly timeoutMs: number;
  /** Adds to the error which program is on the port, if that is known. */
  readonly describe: (stranger: StrangerError) => Promise<TcError>;
}

/** Returns the transport for every process except the server. */
export function httpTransport(options: HttpTransportOptions): ControlTransport {
  const { address, key, timeoutMs, describe } = options;

  async function open(signal: AbortSignal): Promise<ServerConnection> {
    try {
      return await ServerConnection.open(address, key, signal);
    } catch (cause) {
      throw cause instanceof StrangerError ? await describe(cause) : cause;
    }
  }

  return {
    async call(method, path, body): Promise<ControlAnswer> {
      using connection = await open(AbortSignal.timeout(timeoutMs));
      const { status, text } = await connection.ask({ method, path, body });
      return { status, body: text };
    },
    events: (signal) => lines(CONTROL.events, signal),
    watch: (signal) => lines(CONTROL.watch, signal),
  };

  async function* lines(
    path: string,
    signal: AbortSignal,
  ): AsyncIterable<string> {
    try {
      using connection = await open(signal);
      const request = { method: "GET", path, body: null };
      const { status, chunks } = await connection.call(request);
      if (status !== 200) throw notRunning(placeOf(address));
      yield* dataLines(chunks);
    } catch (cause) {
      // The reader has left.
      if (!signal.aborted) throw cause;
    }
  }
}

/** Yields the `data:` lines of an event stream; each of tc's events has one. */
async function* dataLines(
  body: AsyncIterable<Uint8Array>,
): AsyncIterable<string> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of body) {
    rest += decoder.decode(chunk, { stream: true });
    const lines = rest.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line.startsWith("data: ")) yield line.slice(6);
    }
  }
}
