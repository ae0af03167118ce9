/**
 * What the data plane needs of the house, and what it carries for one request.
 * Built once, in server/worker/daemon.ts.
 *
 * @module
 */

import type { AccountId, TicketId } from "../core/account.ts";
import type { RouteFacts } from "../core/pool/pool.ts";
import type { UseReason } from "../core/route/route.ts";
import type { Instant } from "../core/time.ts";
import type {
  AttemptRecord,
  Clock,
  CredentialSource,
  Entropy,
  ExchangeLog,
  HeaderList,
  Journal,
  Lease,
  Pool,
  RequestLog,
  Secret,
  Upstream,
} from "../ports.ts";
import type { RequestPeek } from "../wire/request/request_peek.ts";
import type { Upload } from "./upload.ts";
import type { HistoryMemory, SummaryMemory } from "./conversation.ts";
import type { Hold, HoldDesk } from "./hold.ts";
import type { BodyBudget, InboundLimits } from "./inbound.ts";
import type { Deadline } from "../http/deadline.ts";
import type { OpenRequest, RequestBook } from "./request_book.ts";

export interface Proxy {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly pool: Pool;
  readonly credentials: CredentialSource;
  readonly upstream: Upstream;
  readonly journal: Journal;
  readonly log: RequestLog;
  /** Only where a person asked for whole exchanges. */
  readonly exchanges: ExchangeLog | null;
  readonly book: RequestBook;
  readonly holds: HoldDesk;
  readonly budget: BodyBudget;
  /** How long a client may take nothing of its answer. */
  readonly stall: Deadline;
  readonly summaries: SummaryMemory;
  readonly histories: HistoryMemory;
  readonly limits: InboundLimits;
  /** Where requests go: scheme, host and port. */
  readonly origin: string;
  /** A path before the target, for upstreams below one; else empty. */
  readonly basePath: string;
  /** Never leaves this machine, whatever header it came in. */
  readonly localKey: Secret;
}

/** A client's request with its body in memory, so that it can be sent again. */
export interface Inbound {
  readonly id: string;
  readonly method: string;
  readonly target: string;
  readonly headers: HeaderList;
  readonly body: Uint8Array;
  /** A body that is too large for memory: it goes out once, as it comes in. */
  readonly upload: Upload | null;
  readonly peek: RequestPeek;
  readonly facts: RouteFacts;
  /** The only account that may serve it, or null. */
  readonly only: AccountId | null;
  /** The account that has what the request names by its id, or null. */
  readonly owner: AccountId | null;
  /** The id in its path whose account is not known yet, or null. */
  readonly wanted: string | null;
  readonly ticket: TicketId;
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal;
  readonly startedAt: Instant;
  readonly startedMs: number;
  /** Its line in the request book. */
  readonly line: OpenRequest;
  readonly hold: Hold;
  /** Whether a wait that no hold can bridge is answered with the API's limit lines. */
  readonly speaksLimits: boolean;
  /** Grows with each try. */
  readonly attempts: AttemptRecord[];
}

/** An account to try, its lease open. */
export interface Chosen {
  readonly lease: Lease;
  readonly reason: UseReason;
  /** The account that the conversation leaves by this, or null. */
  readonly movedFrom: AccountId | null;
}
