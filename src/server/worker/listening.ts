/**
 * The listener of this server: the port, the socket beside it, and the switch
 * between the control plane and everything else.
 *
 * @module
 */

import {
  type ControlHost,
  controlRoutes,
  isControlTarget,
} from "../../control/routes.ts";
import { CONTROL } from "../../control/protocol.ts";
import type { IncomingRequest } from "../../http/request.ts";
import { bodyOf, type ClientAnswer } from "../../http/response.ts";
import { BodyBudget, bodyRefusal, readBody } from "../../proxy/body.ts";
import type { PageSessions } from "../page_sessions.ts";
import type { Proxy, RequestBook } from "../../proxy/proxy.ts";
import { listen, type Listener } from "../../proxy/routes.ts";
import { refusal } from "../../wire/answer/api_error.ts";
import type { PortSharing } from "../../http/server.ts";
import { systemClock } from "../../system/clock.ts";
import { socketPath } from "../../config/socket_path.ts";
import type { StartOrder } from "../worker_protocol.ts";

/** Starts to listen. Throws TcError `port_taken` if the port is taken. */
export function listenFor(
  order: StartOrder,
  { proxy, host, pages }: {
    readonly proxy: Proxy;
    readonly host: ControlHost;
    readonly pages: PageSessions;
  },
): Listener {
  const { settings } = order.config;
  const plane: ControlPlane = {
    control: controlRoutes(host),
    budget: new BodyBudget({
      bodyBytesMax: BODY_BYTES_MAX,
      totalBytesMax: BODIES_MAX * BODY_BYTES_MAX,
      bodyMs: settings.timeouts.bodyMs,
    }),
  };
  return listen({
    proxy,
    door: {
      host: settings.proxy.host,
      key: proxy.localKey,
      isKeylessLoopback: settings.proxy.keylessLoopback,
      keylessPaths: settings.metrics.keyless ? [CONTROL.metrics] : [],
      hosts: listed(settings.proxy.hosts).map((name) => name.toLowerCase()),
      origins: listed(settings.proxy.origins),
      pages,
    },
    port: settings.proxy.port,
    tokenUrl: new URL(settings.oauth.tokenUrl),
    control: (incoming, { target, isGuest }) => {
      if (!isControlTarget(target)) return null;
      return isGuest
        ? Promise.resolve(guestRefused())
        : controlled(incoming, target, plane);
    },
    requestsMax: settings.proxy.requestsMax,
    sharing: sharingOf(order),
    openFiles: order.openFiles,
    socket: socketPath(order.config, order.paths, order.system),
  });
}

/**
 * Only Linux lets a second listener share the port without losing connections.
 */
function sharingOf({ takesOver, system }: StartOrder): PortSharing {
  if (system !== "linux") return "alone";
  return takesOver ? "taken_over" : "handed_on";
}

/** Larger than any body of tc's commands; the budget has room for several. */
const BODY_BYTES_MAX = 1024 * 1024;
const BODIES_MAX = 16;

interface ControlPlane {
  readonly control: (request: Request) => Promise<Response>;
  /**
   * A separate budget, so that status and stop work when requests have used up
   * theirs.
   */
  readonly budget: BodyBudget;
}

/** Returns the request for the admin API, without the key in its path. */
async function controlled(
  { method, headers, body, signal }: IncomingRequest,
  target: string,
  { control, budget }: ControlPlane,
): Promise<ClientAnswer> {
  using share = budget.share();
  const reading = await readBody(body, share, budget);
  if (reading.kind !== "body") return bodyRefusal(reading);
  const isBare = method === "GET" || method === "HEAD";
  const response = await control(
    new Request(`http://tc${target}`, {
      method,
      headers: headers.list.map(([name, value]): [string, string] => [
        name,
        value,
      ]),
      body: isBare ? null : reading.bytes.slice(),
      signal,
    }),
  );
  return {
    status: response.status,
    headers: [...response.headers],
    body: response.body === null ? null : bodyOf(response.body),
  };
}

/**
 * Resolves to the number of responses that were cut, when all have finished or
 * time is up.
 */
export async function drained(
  listener: Listener,
  deadlineMs: number,
): Promise<number> {
  const { promise: late, resolve } = Promise.withResolvers<"late">();
  const timer = setTimeout(() => resolve("late"), deadlineMs);
  const first = await Promise.race([listener.shutdown(), late]);
  clearTimeout(timer);
  if (first !== "late") return 0;
  // The main thread ends this thread now, with whatever is left.
  return listener.openRequests();
}

const BOOKED_MS_MAX = 1_000;
const BOOKED_LOOK_MS = 5;

/**
 * Resolves when everything that was sent is booked. Requests that were only
 * held spent nothing.
 */
export async function booked(book: RequestBook): Promise<void> {
  const endMs = systemClock.monotonicMs() + BOOKED_MS_MAX;
  const isOpen = () =>
    book.open().some(({ state }) => state === "sent" || state === "streaming");
  while (isOpen() && systemClock.monotonicMs() < endMs) {
    await systemClock.sleep(BOOKED_LOOK_MS);
  }
}

/** Returns the members of a comma-separated setting. */
function listed(text: string): readonly string[] {
  return text.split(",").map((part) => part.trim())
    .filter((part) => part !== "");
}

/**
 * Returns the refusal of the admin routes, which are only for this machine's
 * own name and pages.
 */
function guestRefused(): ClientAnswer {
  return refusal({
    status: 403,
    type: "permission_error",
    message: "tc: The admin routes are not served under this name or origin",
  });
}
