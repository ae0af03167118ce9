/**
 * The data plane: serves one client's connection, request after request.
 *
 * @module
 */

import { apiError } from "../wire/answer/api_error.ts";
import { writeAnswer } from "./answer_writer.ts";
import { type Arrival, ArrivalHeaders } from "./request.ts";
import type { RequestHead } from "./arrival_head.ts";
import { ConnectionBody, nextHead } from "./arrival_reader.ts";
import type { ClientAnswer } from "./response.ts";
import type { ClientConnection } from "./client_connection.ts";
import type { Lateness } from "./deadline.ts";
import { ProtocolError } from "./head.ts";
import type { Patience } from "./patience.ts";

/** What a connection needs of the listener. */
export interface ConnectionHost {
  /** Makes the answer to a request; never rejects. */
  readonly answer: (arrival: Arrival) => Promise<ClientAnswer>;
  /** From here on a connection ends with its answer. */
  readonly isDraining: () => boolean;
  readonly isLocal: boolean;
  /** Called when a request on this connection has passed the door. */
  readonly prove: () => void;
  readonly patience: Patience;
  readonly silence: Lateness;
  readonly heads: Lateness;
  /** Whether a request on this connection has passed the door. */
  readonly isProven: () => boolean;
  readonly limits: HeadLimits;
}

/** How long a client may take before its request is here. */
export interface HeadLimits {
  /** From the connection, or the last answer, to the first byte; unproven. */
  readonly firstByteMs: number;
  /** For a whole head, from its first byte on. */
  readonly headMs: number;
}

/** Ends when the connection has; never rejects. */
export async function serveConnection(
  client: ClientConnection,
  host: ConnectionHost,
): Promise<void> {
  try {
    do {
      const head = await headInTime(client, host);
      if (head === null) break;
      const isOpen = await serveOne(client, head, host);
      if (!isOpen) break;
    } while (!host.isDraining());
  } catch {
    // The client is gone, or an answer broke: both end the connection.
  } finally {
    client.close();
  }
}

/** The next head, or null where none is to be had. */
async function headInTime(
  client: ClientConnection,
  host: ConnectionHost,
): Promise<RequestHead | null> {
  const { silence, heads, limits } = host;
  const late = () => client.close();
  if (!host.isProven()) silence.watch(late, limits.firstByteMs);
  function begun(): void {
    silence.forget(late);
    heads.watch(late, limits.headMs);
  }
  try {
    return await nextHead(client, begun);
  } catch (cause) {
    if (!(cause instanceof ProtocolError)) throw cause;
    await refuse(client, cause, host);
    return null;
  } finally {
    silence.forget(late);
    heads.forget(late);
  }
}

/** Whether the connection may serve the next request. */
async function serveOne(
  client: ClientConnection,
  head: RequestHead,
  host: ConnectionHost,
): Promise<boolean> {
  const presence = new AbortController();
  const ended = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<null>();
  let answer: ClientAnswer | null = null;
  function left(): void {
    // First the body, so that its end is told as the client's doing.
    giveUp(answer);
    presence.abort(new DOMException("The client left", "AbortError"));
    client.close();
    gone.resolve(null);
  }
  const headers = new ArrivalHeaders(head.headers);
  const body = new ConnectionBody(client, head.bodyEnd, {
    isAwaited: awaitsWord(head, headers),
    // Only now: what came before was the body's.
    onEnd: () => client.watch(left),
  });
  try {
    const answering = host.answer({
      method: head.method,
      url: urlOf(head, headers),
      headers,
      body,
      signal: presence.signal,
      ended: ended.promise,
      isLocal: host.isLocal,
      prove: host.prove,
    });
    answer = await Promise.race([answering, gone.promise]);
    if (answer === null) {
      answering.then(giveUp);
      return false;
    }
    const isOpen = await writeAnswer(client, answer, {
      head,
      isPersistent: head.isPersistent && body.isDone && !host.isDraining(),
      patience: host.patience,
    });
    ended.resolve();
    if (!body.isDone) await client.linger();
    return isOpen;
  } catch (cause) {
    giveUp(answer);
    throw cause;
  } finally {
    ended.resolve();
  }
}

/** Nobody takes the rest. */
function giveUp(answer: ClientAnswer | null): void {
  const { body = null } = answer ?? {};
  if (body !== null && !(body instanceof Uint8Array)) body.cancel();
}

/** Whether the client sends its body only when it is told to go on. */
function awaitsWord(
  { isVersion10 }: RequestHead,
  headers: ArrivalHeaders,
): boolean {
  return !isVersion10 &&
    headers.get("expect")?.toLowerCase() === "100-continue";
}

/** The authority of the request line, or else that of `host`. */
function urlOf({ target }: RequestHead, headers: ArrivalHeaders): string {
  return target.startsWith("/")
    ? `http://${headers.get("host") ?? ""}${target}`
    : target;
}

/** Tells a client what is wrong with its request and ends the connection. */
async function refuse(
  client: ClientConnection,
  { message }: ProtocolError,
  { patience }: ConnectionHost,
): Promise<void> {
  const answer = apiError({
    status: 400,
    type: "invalid_request_error",
    message: `tc: ${message}`,
    retryAfterSec: null,
  });
  await writeAnswer(client, answer, {
    head: { method: "GET", isVersion10: false },
    isPersistent: false,
    patience,
  });
  await client.linger();
}
