/**
 * What the data plane is given when it is built (in server/worker/daemon.ts),
 * and what it knows about each request.
 *
 * @module
 */

import type { AccountId } from "../core/account.ts";
import type { RouteFacts } from "../core/pool/pool.ts";
import type { Instant } from "../core/time.ts";
import type { TokenUsage } from "../core/usage.ts";
import type { Deadline } from "../http/deadline.ts";
import type {
  Authorization,
  Clock,
  CredentialSource,
  Entropy,
  ExchangeLog,
  HeaderList,
  Journal,
  Pool,
  Prices,
  Projects,
  RequestLog,
  RequestRecord,
  Secret,
  Upstream,
} from "../ports.ts";
import type { RequestPeek } from "../wire/request/request_peek.ts";
import type { BodyBudget, Upload } from "./body.ts";
import type { HistoryMemory, SummaryMemory } from "./conversation.ts";
import type { HoldDesk } from "./hold.ts";

/** The parts of the data plane. */
export interface Proxy {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly pool: Pool;
  readonly credentials: CredentialSource;
  readonly upstream: Upstream;
  readonly journal: Journal;
  readonly log: RequestLog;
  /** Keeps whole exchanges, if a person asked for them; else null. */
  readonly exchanges: ExchangeLog | null;
  readonly prices: Prices;
  readonly book: RequestBook;
  readonly holds: HoldDesk;
  readonly budget: BodyBudget;
  /** How long a client may take nothing of its answer. */
  readonly stall: Deadline;
  readonly summaries: SummaryMemory;
  readonly histories: HistoryMemory;
  readonly projects: Projects;
  /** Where requests go: scheme, host and port. */
  readonly origin: string;
  /** The path before each target, if the upstream is below one; else empty. */
  readonly basePath: string;
  /** Never leaves this machine, in whatever header it came. */
  readonly localKey: Secret;
}

/** A client's request as it was read; none of it changes while it is served. */
export interface Inbound {
  readonly id: string;
  readonly method: string;
  readonly target: string;
  readonly headers: HeaderList;
  /** The body in memory, so that it can be sent again. */
  readonly body: Uint8Array;
  /** A body that is too large for memory, in place of `body`; else null. */
  readonly upload: Upload | null;
  readonly peek: RequestPeek;
  readonly facts: RouteFacts;
  /** The only account that may serve it, or null. */
  readonly only: AccountId | null;
  /** The account that owns what the request names by an id, or null. */
  readonly owner: AccountId | null;
  /** The id in its path whose owner is not known yet, or null. */
  readonly wanted: string | null;
  /** Aborted when the client leaves. */
  readonly signal: AbortSignal;
  readonly startedAt: Instant;
  /** The same on the monotonic clock. */
  readonly startedMs: number;
  /** Whether a wait that no hold can bridge is answered with the API's limit lines. */
  readonly speaksLimits: boolean;
}

/** A request that is being served, as status and the Deck show it. */
export interface OpenRequest {
  readonly id: string;
  readonly startedAt: Instant;
  readonly session: string | null;
  readonly agent: string | null;
  readonly model: string | null;
  readonly project: string | null;
  state: "waiting" | "held" | "sent" | "streaming";
  accountId: AccountId | null;
  /** Why it waits, or why this account was chosen. */
  reason: string | null;
  /** Returns the usage of its answer so far; null before an answer comes. */
  usage: (() => TokenUsage | null) | null;
}

/** The most ended requests that are remembered. */
const ENDED_MAX = 200;

/** The open requests and the last ones that ended, for status and the Deck. */
export class RequestBook {
  /**
   * Oldest first. A list and not a map: when a map that gains and loses an
   * entry with each request makes itself a new table, the old table points to
   * it, and every request survives until the next full collection.
   */
  readonly #open: OpenRequest[] = [];
  readonly #ended: RequestRecord[] = [];

  add(request: OpenRequest): void {
    this.#open.push(request);
  }

  /** Notes that `request`, which was added before, ended as `record` says. */
  end(request: OpenRequest, record: RequestRecord): void {
    const at = this.#open.indexOf(request);
    if (at >= 0) this.#open.splice(at, 1);
    this.#ended.push(record);
    if (this.#ended.length > ENDED_MAX) this.#ended.shift();
  }

  /** Returns the open requests, oldest first. */
  open(): readonly Readonly<OpenRequest>[] {
    return [...this.#open];
  }

  /** Returns the last requests that ended, newest first. */
  ended(): readonly RequestRecord[] {
    return this.#ended.toReversed();
  }

  get openCount(): number {
    return this.#open.length;
  }
}

/** Where a request goes: scheme, host and port, and the path and query there. */
interface Destination {
  readonly origin: string;
  readonly target: string;
}

/**
 * Returns where a request for `target` goes. A backend has an address of its
 * own, which may end in a path, as the upstream's may.
 */
export function destinationOf(
  { origin }: Authorization,
  target: string,
  proxy: Pick<Proxy, "origin" | "basePath">,
): Destination {
  if (origin === null) {
    return { origin: proxy.origin, target: `${proxy.basePath}${target}` };
  }
  const url = URL.parse(origin);
  // The connection to something that is not a URL fails and says so.
  if (url === null) return { origin, target };
  return { origin: url.origin, target: `${basePathOf(url)}${target}` };
}

/** Returns the path that targets are below, without a slash at its end. */
export function basePathOf({ pathname }: URL): string {
  return pathname.replace(/\/+$/, "");
}
