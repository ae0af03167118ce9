/**
 * The data plane: a client's request as the listener read it.
 *
 * @module
 */

import type { HeaderList } from "../ports.ts";

/** What the door and the routes look up; a `Headers` can be asked the same. */
export interface HeaderLookup {
  get(name: string): string | null;
  has(name: string): boolean;
}

/** The body on its way, without transfer coding. */
export interface ArrivalBody {
  /** As the head says; 0 where there is none, null where nobody knows. */
  readonly statedBytes: number | null;
  /**
   * The next bytes, good until the next read; null at the end. Rejects when
   * the client left, or with a ProtocolError where its framing is broken.
   */
  read(): Promise<Uint8Array | null>;
}

/** One request whose head is here. */
export interface Arrival {
  readonly method: string;
  /** With the authority of the request line or else of `host`. */
  readonly url: string;
  readonly headers: HeaderLookup & { readonly list: HeaderList };
  readonly body: ArrivalBody;
  /** Aborted when the client leaves before its answer has ended. */
  readonly signal: AbortSignal;
  /** Resolves when its answer has ended, however. */
  readonly ended: Promise<void>;
  /** Whether the client is on this machine. */
  readonly isLocal: boolean;
  /** Tells the listener that the request has passed the door. */
  readonly prove: () => void;
}

/** Header lines: looked up by lower-case name, and as they came for the upstream. */
export class ArrivalHeaders implements HeaderLookup {
  /** In the client's own order and spelling. */
  readonly list: HeaderList;
  readonly #values = new Map<string, string>();

  /** Takes the lines as they came. */
  constructor(lines: HeaderList) {
    const values = this.#values;
    for (const [name, value] of lines) {
      const lower = name.toLowerCase();
      const before = values.get(lower);
      if (before === undefined) values.set(lower, value);
      else values.set(lower, before + separatorOf(lower) + value);
    }
    this.list = lines;
  }

  get(name: string): string | null {
    return this.#values.get(name) ?? null;
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }
}

/** RFC 9110 5.2; cookies are the exception (RFC 6265 5.4). */
function separatorOf(name: string): string {
  return name === "cookie" ? "; " : ", ";
}
