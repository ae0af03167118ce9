/**
 * What the CLI and the Deck call. The way to the server is a transport: HTTP
 * from another process, messages from the server's own main thread, which has
 * no network of its own.
 *
 * @module
 */

import { EXIT, TcError } from "../errors.ts";
import type { Secret } from "../ports.ts";
import type { ExplainView } from "./explain_view.ts";
import {
  type AccountsView,
  type CapacityView,
  CONTROL,
  type ErrorView,
  type HealthView,
  type StatusView,
} from "./protocol.ts";

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
  /** The lines of `data:` of the event stream, until `signal` aborts. */
  events(signal: AbortSignal): AsyncIterable<string>;
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

  capacity(): Promise<CapacityView> {
    return this.#json("GET", CONTROL.capacity);
  }

  accounts(): Promise<AccountsView> {
    return this.#json("GET", CONTROL.accounts);
  }

  /** The account by its name or id, in a path. */
  accountPath(wanted: string): string {
    return `${CONTROL.accounts}/${encodeURIComponent(wanted)}`;
  }

  /** Of a session or request; null is the last one used. */
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

  /** The raw answer, for calls whose answer is not ours. */
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

/** Exit codes by error code, as where the same error arises in the command. */
const EXIT_OF: Readonly<Record<string, number>> = {
  no_such_account: EXIT.usage,
  usage: EXIT.usage,
  no_such_session: EXIT.usage,
  bad_config: EXIT.badConfig,
  needs_login: EXIT.needsLogin,
  credential_unavailable: EXIT.tryLater,
  account_in_use: EXIT.tryLater,
  all_closed: EXIT.tryLater,
  no_permission: EXIT.noPermission,
  disk_full: EXIT.cannotWrite,
  read_only: EXIT.cannotWrite,
};

/** The server's own error, with its code, message and hint kept. */
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

/** The error of every command that needs a running server and finds none. */
export function notRunning(where: string, cause?: unknown): TcError {
  return new TcError(`Cannot reach tc on ${where}: no server runs there`, {
    code: "not_running",
    source: "user",
    exitCode: EXIT.notRunning,
    hint: "tc run      starts it with Claude Code\ntc server   starts it alone",
    cause,
  });
}

export interface HttpTransportOptions {
  readonly host: string;
  readonly port: number;
  readonly key: Secret;
  /** Time for one answer. */
  readonly timeoutMs: number;
}

/** The transport of every process but the server's own. */
export function httpTransport(options: HttpTransportOptions): ControlTransport {
  const where = `${
    options.host.includes(":") ? `[${options.host}]` : options.host
  }:${options.port}`;
  const headers = { "x-api-key": options.key.reveal() };

  async function open(
    path: string,
    init: {
      readonly method: string;
      readonly body: string | null;
      readonly signal: AbortSignal;
    },
  ): Promise<Response> {
    try {
      return await fetch(`http://${where}${path}`, {
        method: init.method,
        headers: init.body === null
          ? headers
          : { ...headers, "content-type": "application/json" },
        body: init.body,
        signal: init.signal,
      });
    } catch (cause) {
      throw notRunning(where, cause);
    }
  }

  return {
    async call(method, path, body): Promise<ControlAnswer> {
      const signal = AbortSignal.timeout(options.timeoutMs);
      const response = await open(path, { method, body, signal });
      return { status: response.status, body: await response.text() };
    },
    async *events(signal): AsyncIterable<string> {
      const response = await open(CONTROL.events, {
        method: "GET",
        body: null,
        signal,
      });
      if (response.body === null || !response.ok) throw notRunning(where);
      yield* dataLines(response.body);
    },
  };
}

/** The `data:` lines of an event stream; each of our events has one. */
async function* dataLines(
  body: ReadableStream<Uint8Array>,
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
