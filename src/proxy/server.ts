/**
 * The listener: the door first, on every path; then the control plane, the
 * paths with the client's own credential, and everything else to the pool.
 *
 * @module
 */

import { createHmac } from "node:crypto";
import { stackOf } from "../errors.ts";
import type { HeaderList } from "../ports.ts";
import { proofText } from "../wire/proof.ts";
import { answerFor, type AnswerOptions } from "./answer_for.ts";
import type { IncomingRequest } from "../http/request.ts";
import type { ClientAnswer } from "../http/response.ts";
import { connectionLimits } from "../http/client_connection.ts";
import { type Admission, admit, type Door } from "./door.ts";
import {
  ConnectionServer,
  listenOnPort,
  listenOnSocket,
  type PortSharing,
  type ServeOptions,
} from "../http/server.ts";
import type { Proxy } from "./proxy.ts";
import { RefusalLog } from "./refusal_log.ts";
import { refusal } from "./service.ts";

/** A client may connect ahead of its first request. */
const FIRST_BYTE_MS = 30_000;
/** Time for a whole head, from its first byte on. */
const HEAD_MS = 10_000;

export interface ListenOptions extends AnswerOptions {
  /** Answers the control plane's paths, or null for those that are not its. */
  readonly control: (
    incoming: IncomingRequest,
    admission: Pick<
      Admission & { readonly kind: "admitted" },
      "target" | "isGuest"
    >,
  ) => Promise<ClientAnswer> | null;
  readonly door: Omit<Door, "port">;
  readonly port: number;
  /** Requests in hand at most; the next is told to come again. */
  readonly requestsMax: number;
  /**
   * Whether a later server may listen on the same port to take it over, and
   * whether this one is such a one; Linux alone shares ports that way.
   */
  readonly sharing: PortSharing;
  /** Descriptors that the process may have open; null where nobody knows. */
  readonly openFiles: number | null;
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
  /** Cuts everything. */
  abort(): void;
}

/** Starts to listen; throws TcError `port_taken` where another holds the port. */
export function listen(options: ListenOptions): Listener {
  const counter = { inHand: 0 };
  const { host } = options.door;
  const listener = listenOnPort(
    host.replace(/^\[|\]$/g, ""),
    options.port,
    options.sharing,
  );
  const { port } = listener.addr;
  const door = { ...options.door, port };
  const { proxy } = options;
  const refusals = new RefusalLog(proxy.clock, proxy.journal);
  const serving: ServeOptions = {
    answer: async (incoming) => {
      try {
        const answer = await dispatch(incoming, { door, options, counter });
        if (answer.refusal !== undefined) {
          refusals.tell({
            method: incoming.method,
            url: incoming.url,
            status: answer.status,
            why: answer.refusal,
          });
        }
        return answer;
      } catch (cause) {
        return faultAnswer(cause, proxy);
      }
    },
    stall: proxy.stall,
    heads: {
      firstByteMs: Math.min(FIRST_BYTE_MS, proxy.limits.bodyMs),
      headMs: Math.min(HEAD_MS, proxy.limits.bodyMs),
    },
    connections: connectionLimits(options.openFiles),
    journal: proxy.journal,
  };
  const socket = options.socket === null
    ? null
    : listenOnSocket(options.socket, proxy.journal);
  const server = new ConnectionServer(
    socket === null ? [listener] : [listener, socket],
    serving,
  );
  return {
    host,
    port,
    get inHand(): number {
      return counter.inHand;
    },
    shutdown: () => server.shutdown(),
    abort: () => server.abort(),
  };
}

interface House {
  readonly door: Door;
  readonly options: ListenOptions;
  readonly counter: { inHand: number };
}

async function dispatch(
  incoming: IncomingRequest,
  { door, options, counter }: House,
): Promise<ClientAnswer> {
  const admission = admit(incoming, door);
  if (admission.kind === "refused") return refused(admission);
  if (admission.kind === "challenged") return proved(admission, door);
  if (admission.kind === "preflight") return allowed(incoming, admission);
  incoming.prove();
  const answer = await answered(incoming, admission, {
    door,
    options,
    counter,
  });
  return admission.origin === null ? answer : {
    ...answer,
    headers: [...answer.headers, ...corsLines(admission.origin)],
  };
}

/** Lets a page read the answer; every page has its own. */
function corsLines(origin: string): HeaderList {
  return [["access-control-allow-origin", origin], ["vary", "origin"]];
}

/** The answer to a browser that asks whether a page may call. */
function allowed(
  { headers }: IncomingRequest,
  { origin }: Admission & { readonly kind: "preflight" },
): ClientAnswer {
  const method = headers.get("access-control-request-method") ?? "";
  const asked = headers.get("access-control-request-headers");
  return {
    status: 204,
    headers: [
      ...corsLines(origin),
      ["access-control-allow-methods", method],
      ...asked === null
        ? []
        : [["access-control-allow-headers", asked] as const],
      ["access-control-max-age", "600"],
    ],
    body: null,
  };
}

async function answered(
  incoming: IncomingRequest,
  admission: Admission & { readonly kind: "admitted" },
  { options, counter }: House,
): Promise<ClientAnswer> {
  // With as many requests in hand as may be, tc status and tc stop still work.
  const controlled = options.control(incoming, admission);
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
  incoming.ended.then(() => counter.inHand--);
  return await answerFor(incoming, admission, options);
}

/** Shows that this server has the key; the answer is of no use on another port. */
function proved(
  { nonce }: { readonly nonce: string },
  { key, port }: Door,
): ClientAnswer {
  const view = {
    schema: "tc.proof/v1",
    proof: createHmac("sha256", key.reveal())
      .update(proofText({ port, nonce })).digest("base64url"),
  };
  return {
    status: 200,
    headers: [["content-type", "application/json"]],
    body: new TextEncoder().encode(JSON.stringify(view)),
  };
}

function refused(
  admission: Admission & { readonly kind: "refused" },
): ClientAnswer {
  return refusal({
    status: admission.status,
    type: admission.status === 401
      ? "authentication_error"
      : admission.status === 404
      ? "not_found_error"
      : "permission_error",
    message: `tc: ${admission.message}`,
    retryAfterSec: null,
  });
}

function faultAnswer(cause: unknown, { journal }: Proxy): ClientAnswer {
  const fault = stackOf(cause);
  journal.log("error", "fault", { fault });
  return refusal({
    status: 500,
    type: "api_error",
    message: "tc could not serve this request: see its log",
    retryAfterSec: null,
  });
}
