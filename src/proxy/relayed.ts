/**
 * An upstream answer on its way to the client, watched by the tap and settled
 * once at its end.
 *
 * @module
 */

import type { HeaderList, RequestEnd, UpstreamBody } from "../ports.ts";
import { headerValue } from "../wire/header_list.ts";
import type { MeterReading } from "../wire/answer/usage.ts";
import type { AnswerBody } from "../http/response.ts";
import type { Outcome } from "./handler.ts";
import type { Inbound, Proxy } from "./proxy.ts";
import { IdWatch, noteSearch } from "./owners.ts";
import { relay, type RelayEnd } from "./relay.ts";
import { settle } from "./settle.ts";
import { type Tap, tapFor } from "./tap.ts";
import { reasonOf, stackOf } from "../errors.ts";

const ENDS: Readonly<Record<RelayEnd["kind"], RequestEnd>> = {
  complete: "complete",
  upstream_failed: "upstream_failed",
  client_gone: "client_gone",
};

export class Relayed {
  readonly #inbound: Inbound;
  readonly #outcome: Outcome & { readonly kind: "relay" };
  readonly #proxy: Proxy;
  readonly #tap: Tap;
  readonly #status: number;
  readonly #headers: HeaderList;
  /** A copy of the first part of the body, for who asked for it. */
  readonly #kept: Uint8Array[] | null;
  #keptBytes = 0;
  /** Looks at answers that may introduce ids of the account. */
  readonly #ids: IdWatch | null;
  #firstByteMs: number | null = null;

  constructor(
    inbound: Inbound,
    outcome: Outcome & { readonly kind: "relay" },
    proxy: Proxy,
  ) {
    this.#inbound = inbound;
    this.#outcome = outcome;
    this.#proxy = proxy;
    const headers = outcome.attempt.response?.headers ?? [];
    this.#headers = headers;
    this.#kept = proxy.exchanges?.bodyBytesMax ? [] : null;
    this.#status = outcome.attempt.response?.status ?? 0;
    this.#ids = IdWatch.for(inbound, this.#status, headers);
    this.#tap = tapFor(
      headerValue(headers, "content-type") ?? "",
      headerValue(headers, "content-encoding") ?? "",
    );
  }

  passOn(body: UpstreamBody): AnswerBody {
    this.#inbound.line.state = "streaming";
    this.#inbound.line.usage = () => this.#tap.soFar();
    return relay(body, {
      tap: (chunk) => this.show(chunk),
      onEnd: (end) => this.end(end),
    });
  }

  show(chunk: Uint8Array): void {
    this.#firstByteMs ??= this.#proxy.clock.monotonicMs() -
      this.#inbound.startedMs;
    this.#tap.push(chunk);
    this.#ids?.push(chunk);
    this.#keep(chunk);
  }

  #keep(chunk: Uint8Array): void {
    const room = (this.#proxy.exchanges?.bodyBytesMax ?? 0) - this.#keptBytes;
    if (this.#kept === null || room <= 0) return;
    this.#kept.push(chunk.slice(0, room));
    this.#keptBytes += Math.min(room, chunk.length);
  }

  end(end: RelayEnd): void {
    this.#tap.finish().catch(() => null)
      .then((reading) => this.#settle(end, reading))
      .catch((cause) => {
        // One request that cannot be booked must not end all the others.
        const fault = stackOf(cause);
        this.#proxy.journal.log("error", "fault", { fault: fault ?? null });
      });
  }

  #settle(end: RelayEnd, reading: MeterReading | null): void {
    if (end.kind === "complete") {
      this.#ids?.end(this.#outcome.chosen.lease.accountId, this.#proxy);
    }
    noteSearch(this.#inbound, this.#status, this.#proxy);
    settle(this.#inbound, {
      chosen: this.#outcome.chosen,
      status: this.#status,
      end: ENDS[end.kind],
      firstByteMs: this.#firstByteMs,
      reading,
      reason: null,
      why: end.kind === "upstream_failed" ? reasonOf(end.cause) : null,
      answer: { headers: this.#headers, body: this.#kept },
    }, this.#proxy);
  }
}
