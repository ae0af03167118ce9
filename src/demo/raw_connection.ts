/**
 * Reads HTTP/1.1 requests from a plain connection, byte for byte, and notices
 * when the other side goes.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { HeaderList } from "../ports.ts";
import { joined } from "./bytes.ts";

export interface RawRequest {
  /** Request line and header lines as they came, without the empty line. */
  readonly rawHead: string;
  readonly method: string;
  readonly target: string;
  /** In the order and case in which they came. */
  readonly headers: HeaderList;
  /** With the transfer coding removed. */
  readonly body: Uint8Array;
}

export const HEAD_BYTES_MAX = 1024 * 1024;
const READ_BYTES = 64 * 1024;
const HEAD_END = "\r\n\r\n";

/** The first value of the header `name`, or null. */
export function headerOf(headers: HeaderList, name: string): string | null {
  return headers.find(([each]) => each.toLowerCase() === name)?.[1] ?? null;
}

export class RawConnection {
  readonly #connection: Deno.Conn;
  #buffer = new Uint8Array(0);
  #reading: Promise<boolean> | null = null;
  #isEnded = false;

  constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }

  /** The next head, or null when the connection ended before one. */
  async readHead(): Promise<Omit<RawRequest, "body"> | null> {
    for (;;) {
      const text = latin1(this.#buffer);
      const end = text.indexOf(HEAD_END);
      if (end !== -1) {
        this.#drop(end + HEAD_END.length);
        return parseHead(text.slice(0, end));
      }
      if (text.length > HEAD_BYTES_MAX || !await this.#more()) return null;
    }
  }

  /** The body that `headers` announce; shorter if the connection ends in it. */
  async readBody(headers: HeaderList): Promise<Uint8Array> {
    const coding = headerOf(headers, "transfer-encoding");
    if (coding?.toLowerCase().includes("chunked")) return await this.#chunks();
    return await this.#take(Number(headerOf(headers, "content-length") ?? 0));
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      at += await this.#connection.write(bytes.subarray(at));
    }
  }

  /** Resolves when the other side has gone; what it sends until then is kept. */
  async gone(): Promise<void> {
    while (await this.#more()) {
      // Bytes of a next request: they wait in the buffer.
    }
  }

  close(): void {
    try {
      this.#connection.close();
    } catch {
      // It was closed already: that is all that is wanted.
    }
  }

  async #chunks(): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for (;;) {
      const size = Number.parseInt(await this.#line(), 16);
      if (!(size > 0)) break;
      parts.push(await this.#take(size));
      await this.#line();
    }
    while (await this.#line() !== "") {
      // Trailers say nothing to a test.
    }
    return joined(parts);
  }

  async #line(): Promise<string> {
    for (;;) {
      const text = latin1(this.#buffer);
      const end = text.indexOf("\r\n");
      if (end !== -1) {
        this.#drop(end + 2);
        return text.slice(0, end);
      }
      if (!await this.#more()) return "";
    }
  }

  async #take(length: number): Promise<Uint8Array> {
    const taken = new Uint8Array(length);
    for (let filled = 0;;) {
      const part = this.#buffer.subarray(0, length - filled);
      taken.set(part, filled);
      filled += part.length;
      this.#drop(part.length);
      if (filled === length || !await this.#more()) {
        return taken.subarray(0, filled);
      }
    }
  }

  #drop(length: number): void {
    this.#buffer = this.#buffer.slice(length);
  }

  /** Reads on; false at the end. Only one read is ever pending. */
  async #more(): Promise<boolean> {
    if (this.#isEnded) return false;
    this.#reading ??= this.#readOnce().finally(() => {
      this.#reading = null;
    });
    return await this.#reading;
  }

  async #readOnce(): Promise<boolean> {
    const chunk = new Uint8Array(READ_BYTES);
    let length: number | null;
    try {
      length = await this.#connection.read(chunk);
    } catch {
      // A reset or our own close ends it as well as a FIN does.
      length = null;
    }
    if (length === null) {
      this.#isEnded = true;
      return false;
    }
    const whole = new Uint8Array(this.#buffer.length + length);
    whole.set(this.#buffer);
    whole.set(chunk.subarray(0, length), this.#buffer.length);
    this.#buffer = whole;
    return true;
  }
}

function parseHead(text: string): Omit<RawRequest, "body"> {
  const [line = "", ...lines] = text.split("\r\n");
  const [method = "", target = ""] = line.split(" ");
  const headers = lines.map((each) => {
    const colon = each.indexOf(":");
    return [each.slice(0, colon), each.slice(colon + 1).trim()] as const;
  });
  return { rawHead: text, method, target, headers };
}

/** Each byte as one character, so that nothing is lost. */
function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    .toString("latin1");
}
