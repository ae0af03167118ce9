/**
 * The listener: the door first, on every path; then the control plane, the
 * paths with the client's own credential, and everything else to the pool.
 *
 * @module
 */

import { EXIT, TcError } from "../errors.ts";
import { answerFor, type AnswerOptions } from "./answer_for.ts";
import { type Admission, admit, type Door } from "./door.ts";
import { isPortOpen, isSocketOpen, LastingServer } from "./lasting_server.ts";
import type { Proxy } from "./proxy.ts";
import { refusal } from "./service.ts";

export interface ListenOptions extends AnswerOptions {
  /** Answers the control plane's paths, or null for those that are not its. */
  readonly control: (
    request: Request,
    target: string,
  ) => Promise<Response> | null;
  readonly door: Omit<Door, "port">;
  readonly port: number;
  /** Requests in hand at most; the next is told to come again. */
  readonly requestsMax: number;
  /**
   * Whether a later server may listen on the same port to take it over, and
   * whether this one is such a one; Linux alone shares ports that way.
   */
  readonly sharing: "alone" | "handed_on" | "taken_over";
  /** A Unix socket to listen on beside the port, or null. */
  readonly socket: string | null;
}

export interface Listener {
  readonly host: string;
  readonly port: number;
  /** Requests whose answer has not ended. */
  readonly inHand: number;
  /** Takes no new connection; resolves when every answer has ended. */
  shutdown(): Promise<void>;
  /** Cuts everything; after a shutdown only the end of the thread does. */
  abort(): void;
}

/** Starts to listen; throws TcError `port_taken` where another holds the port. */
export function listen(options: ListenOptions): Listener {
  const counter = { inHand: 0 };
  const abort = new AbortController();
  const { host } = options.door;
  const hostname = host.replace(/^\[|\]$/g, "");
  const { signal } = abort;
  const server = serveOn({ hostname, signal }, options, counter);
  const { port } = server.addr;
  const socket = options.socket === null
    ? null
    : serveSocket(options.socket, signal, { options, port, counter });
  let isShut = false;
  return {
    host,
    port,
    get inHand(): number {
      return counter.inHand;
    },
    shutdown: async () => {
      isShut = true;
      await Promise.all([server.shutdown(), socket?.shutdown()]);
    },
    abort: () => {
      server.stopWatch();
      socket?.stopWatch();
      // Deno closes the listener twice then, and the thread dies of it.
      if (!isShut) abort.abort();
    },
  };
}

/** The socket that a person reaches by the mode of its file; null without. */
function serveSocket(
  path: string,
  signal: AbortSignal,
  { options, port, counter }: {
    readonly options: ListenOptions;
    readonly port: number;
    readonly counter: { inHand: number };
  },
): LastingServer<Deno.UnixAddr> | null {
  const door = { ...options.door, port };
  const { journal } = options.proxy;
  try {
    return new LastingServer({
      name: "socket",
      journal,
      isOpen: () => isSocketOpen(path),
      serve: () => {
        // Made beside and moved into its place: it is never there half-made,
        // and a server that hands over keeps its own until it has ended.
        const fresh = `${path}.new`;
        removeIfThere(fresh);
        const server = Deno.serve(
          {
            path: fresh,
            signal,
            automaticCompression: false,
            onListen: () => {},
            onError: (cause) => faultAnswer(cause, options.proxy),
          },
          (request, info) =>
            dispatch(request, { info, door, options, counter }),
        );
        Deno.chmodSync(fresh, 0o600);
        Deno.renameSync(fresh, path);
        return server;
      },
    });
  } catch (cause) {
    // The port serves on without it.
    const reason = cause instanceof Error ? cause.message : String(cause);
    journal.log("warn", "socket", { reason });
    return null;
  }
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
  }
}

function serveOn(
  where: { readonly hostname: string; readonly signal: AbortSignal },
  options: ListenOptions,
  counter: { inHand: number },
): LastingServer<Deno.NetAddr> {
  // Set once the port is known; no request comes before that.
  const door = { ...options.door, port: options.port };
  try {
    if (options.sharing === "handed_on" && options.port !== 0) {
      // A port that can be shared is not refused to a stranger's server.
      Deno.listen({ hostname: where.hostname, port: options.port }).close();
    }
    const server = new LastingServer({
      name: "port",
      journal: options.proxy.journal,
      // A port that the system chose is in nobody's grant: it cannot be tried.
      isOpen: (address) =>
        options.port === 0 ? Promise.resolve(null) : isPortOpen(address),
      serve: () =>
        Deno.serve(
          {
            ...where,
            port: door.port,
            reusePort: options.sharing !== "alone",
            automaticCompression: false,
            onListen: () => {},
            onError: (cause) => faultAnswer(cause, options.proxy),
          },
          (request, info) =>
            dispatch(request, { info, door, options, counter }),
        ),
    });
    door.port = server.addr.port;
    return server;
  } catch (cause) {
    if (!(cause instanceof Deno.errors.AddrInUse)) throw cause;
    throw new TcError(
      `Cannot listen on ${where.hostname}:${options.port}: another program is there`,
      {
        code: "port_taken",
        source: "user",
        exitCode: EXIT.alreadyRunning,
        cause,
      },
    );
  }
}

interface Arrival {
  readonly info: Deno.ServeHandlerInfo<Deno.NetAddr | Deno.UnixAddr>;
  readonly door: Door;
  readonly options: ListenOptions;
  readonly counter: { inHand: number };
}

async function dispatch(request: Request, arrival: Arrival): Promise<Response> {
  const { info, door, options, counter } = arrival;
  const admission = admit({
    method: request.method,
    url: urlOf(request, info.remoteAddr),
    headers: request.headers,
    isLocal: isLocal(info.remoteAddr),
  }, door);
  if (admission.kind === "refused") return refused(admission);
  // With as many requests in hand as may be, tc status and tc stop still work.
  const controlled = options.control(request, admission.target);
  if (controlled !== null) return await controlled;
  if (counter.inHand >= options.requestsMax) {
    return refusal({
      status: 503,
      type: "overloaded_error",
      message: "tc has as many requests in hand as proxy.requestsMax allows",
      retryAfterSec: 2,
    });
  }
  counter.inHand++;
  info.completed.finally(() => counter.inHand--).catch(() => {});
  return await answerFor(request, admission, options);
}

/** Over a Unix socket the URL names the socket where a host should be. */
function urlOf({ url, headers }: Request, address: Deno.Addr): string {
  if (address.transport !== "unix") return url;
  return url.replace(
    /^http\+unix:\/\/[^/?#]*/,
    `http://${headers.get("host") ?? ""}`,
  );
}

function isLocal(address: Deno.Addr): boolean {
  if (address.transport !== "tcp") return true;
  const { hostname } = address;
  return hostname === "::1" || hostname.startsWith("127.") ||
    hostname.startsWith("::ffff:127.");
}

function refused(
  admission: Admission & { readonly kind: "refused" },
): Response {
  return refusal({
    status: admission.status,
    type: admission.status === 401
      ? "authentication_error"
      : "permission_error",
    message: `tc: ${admission.message}`,
    retryAfterSec: null,
  });
}

function faultAnswer(cause: unknown, { journal }: Proxy): Response {
  const fault = cause instanceof Error
    ? cause.stack ?? cause.message
    : String(cause);
  journal.log("error", "fault", { fault });
  return refusal({
    status: 500,
    type: "api_error",
    message: "tc could not serve this request: see its log",
    retryAfterSec: null,
  });
}
