/**
 * Sends whoever names a file, a batch, a container or a thread to the account
 * that it lives under, and learns from answers where new ones live.
 *
 * @module
 */

import type { AccountId } from "../core/account.ts";
import { ownerOf } from "../core/pool/owned_ids.ts";
import { headerValue } from "../wire/header_list.ts";
import {
  idsInAnswer,
  idsInBody,
  idsInPath,
} from "../wire/request/owned_ids.ts";
import type { RequestPeek } from "../wire/request/request_peek.ts";
import { inflatedWhole } from "../http/inflate.ts";
import type { Inbound, Proxy } from "./proxy.ts";
import type { HeaderList } from "../ports.ts";

/** The account that a request must go to because of the ids in it. */
export interface Owner {
  /** The account that has them, or null. */
  readonly only: AccountId | null;
  /** The id in the path that must be looked for, or null. */
  readonly wanted: string | null;
}

const NO_OWNER: Owner = { only: null, wanted: null };

/** Returns which account the ids in the path, the body or the thread belong to. */
export function ownerFor(
  { path, previousMessageId }: RequestPeek,
  body: Uint8Array,
  { pool }: Proxy,
): Owner {
  const { owned, at } = pool.snapshot();
  const [named] = idsInPath(path);
  if (named !== undefined) {
    const owner = ownerOf(owned, named, at);
    if (owner === null) return { only: null, wanted: named };
    return owner === "nobody" ? NO_OWNER : { only: owner, wanted: null };
  }
  // Nobody pays for a search through a long body where no id is known.
  if (owned.size === 0 || body.length === 0) return NO_OWNER;
  const ids = previousMessageId === null
    ? idsInBody(body)
    : [previousMessageId, ...idsInBody(body)];
  for (const id of ids) {
    const owner = ownerOf(owned, id, at);
    if (owner !== null && owner !== "nobody") {
      return { only: owner, wanted: null };
    }
  }
  return NO_OWNER;
}

/** A longer answer introduces nothing that is looked at here. */
const ANSWER_BYTES_MAX = 1024 * 1024;

/** Collects what an answer says of ids; for answers that may introduce some. */
export class IdWatch {
  readonly #inbound: Inbound;
  readonly #headers: HeaderList;
  #chunks: Uint8Array[] | null = [];
  #bytes = 0;

  constructor(inbound: Inbound, headers: HeaderList) {
    this.#inbound = inbound;
    this.#headers = headers;
  }

  /** Returns a watch for answers in which ids are worth a look, else null. */
  static for(
    inbound: Inbound,
    status: number,
    headers: HeaderList,
  ): IdWatch | null {
    const isMessage = inbound.facts.path === "/v1/messages";
    if (isMessage || status < 200 || status >= 300) return null;
    const type = headerValue(headers, "content-type") ?? "";
    return type.startsWith("application/json")
      ? new IdWatch(inbound, headers)
      : null;
  }

  push(chunk: Uint8Array): void {
    this.#bytes += chunk.length;
    if (this.#bytes > ANSWER_BYTES_MAX) this.#chunks = null;
    this.#chunks?.push(chunk.slice());
  }

  /** Notes at the end which ids live under `accountId`. */
  end(accountId: AccountId, { pool, clock }: Proxy): void {
    if (this.#chunks === null) return;
    const whole = new Uint8Array(this.#bytes);
    let at = 0;
    for (const chunk of this.#chunks) {
      whole.set(chunk, at);
      at += chunk.length;
    }
    const plain = inflatedWhole(
      whole,
      headerValue(this.#headers, "content-encoding"),
      ANSWER_BYTES_MAX,
    );
    const ids = plain === null ? [] : idsInAnswer(plain);
    const { wanted } = this.#inbound;
    for (const id of wanted === null ? ids : [wanted, ...ids]) {
      pool.dispatch({ kind: "id_seen", id, accountId, at: clock.now() });
    }
  }
}

/** Notes that no account has the id that was looked for. */
export function noteSearch(
  { wanted, only }: Inbound,
  status: number,
  { pool, clock }: Proxy,
): void {
  if (wanted === null || only !== null || status !== 404) return;
  const at = clock.now();
  pool.dispatch({ kind: "id_seen", id: wanted, accountId: null, at });
}
