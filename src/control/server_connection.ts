/**
 * A connection from a command to the server of its pool. It connects to
 * loopback directly, whatever proxy the environment names, and the server must
 * prove that it has the local key before anything else is sent.
 *
 * @module
 */

import { createHmac } from "node:crypto";
import { EXIT, TcError } from "../errors.ts";
import type { Secret } from "../ports.ts";
import { PROOF_PATH, proofText } from "../wire/proof.ts";
import type { Hint } from "../shell_words.ts";

export interface ServerAddress {
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
}

interface ServerRequest {
  readonly method: string;
  readonly path: string;
  /** A JSON text, or null. */
  readonly body: string | null;
}

interface ServerAnswer {
  readonly status: number;
  /** The body as it arrives, without framing. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

/**
 * How a program on the port failed to prove that it is the server of this pool.
 * `wrong_proof` comes from a tc with another key.
 */
type StrangerSign =
  | "silent"
  | "closed"
  | "not_http"
  | "no_proof"
  | "wrong_proof";

/** Another program listens where the server of this pool should. */
export class StrangerError extends TcError {
  readonly sign: StrangerSign;
  readonly address: ServerAddress;

  constructor(
    sign: StrangerSign,
    address: ServerAddress,
    words: { readonly message?: string; readonly hint?: Hint } = {},
  ) {
    super(
      words.message ?? `Cannot use ${placeOf(address)}: ${SIGNS[sign]}`,
      {
        code: "stranger",
        source: "user",
        exitCode: EXIT.alreadyRunning,
        hint: words.hint ??
          "tc config set proxy.port 3457   gives tc another port",
      },
    );
    this.sign = sign;
    this.address = address;
  }
}

const SIGNS: Readonly<Record<StrangerSign, string>> = {
  silent: "the program that listens there does not answer",
  closed: "the program that listens there closes every connection",
  not_http: "the program that listens there is not tc",
  no_proof: "the program that listens there is not tc, or an older tc",
  wrong_proof: "another tc listens there, with another key",
};

const NONCE_BYTES = 24;
const HEAD_BYTES_MAX = 64 * 1024;
const PROOF_BYTES_MAX = 4 * 1024;
/** Wait before the second try: a server that is ending closes connections. */
const AGAIN_MS = 60;

/** Returns an address as in a URL: `127.0.0.1:3456`. */
export function placeOf({ host, port }: ServerAddress): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/**
 * Returns the error of a command that needs a running server and finds none.
 */
export function notRunning(where: string, cause?: unknown): TcError {
  return new TcError(`Cannot reach tc on ${where}: no server runs there`, {
    code: "not_running",
    source: "user",
    exitCode: EXIT.notRunning,
    hint: "tc run      starts it with Claude Code\ntc server   starts it alone",
    cause,
  });
}

/**
 * A connection to a proved server. `call` may be used several times, one after
 * another.
 */
export class ServerConnection implements Disposable {
  readonly #wire: Wire;
  readonly #address: ServerAddress;
  readonly #key: Secret;

  private constructor(wire: Wire, address: ServerAddress, key: Secret) {
    this.#wire = wire;
    this.#address = address;
    this.#key = key;
  }

  /**
   * Connects and has the server prove itself. Throws TcError `not_running` if
   * nothing listens, and StrangerError if another program does. `signal` limits
   * the whole life of the connection.
   */
  static async open(
    address: ServerAddress,
    key: Secret,
    signal: AbortSignal,
  ): Promise<ServerConnection> {
    for (let isAgain = false;; isAgain = true) {
      const wire = await Wire.connect(address, signal);
      const sign = await trialOf(wire, address, key);
      if (sign === null) return new ServerConnection(wire, address, key);
      wire.close();
      if (sign !== "closed" || isAgain) throw new StrangerError(sign, address);
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }

  /** Sends a request with the key. Throws TcError `not_running` or `no_answer`. */
  async call({ method, path, body }: ServerRequest): Promise<ServerAnswer> {
    const lines = [
      `${method} ${path} HTTP/1.1`,
      `host: ${placeOf(this.#address)}`,
      `x-tc-key: ${this.#key.reveal()}`,
      ...(body === null ? [] : ["content-type: application/json"]),
      ...(body === null && method === "GET"
        ? []
        : [`content-length: ${new TextEncoder().encode(body ?? "").length}`]),
    ];
    try {
      await this.#wire.write(`${lines.join("\r\n")}\r\n\r\n${body ?? ""}`);
      const { status, headers } = await this.#wire.head();
      return { status, chunks: this.#wire.body(headers) };
    } catch (cause) {
      throw this.#failure(cause);
    }
  }

  /** Sends a request and reads the whole answer. Throws as `call` does. */
  async ask(
    request: ServerRequest,
  ): Promise<{ readonly status: number; readonly text: string }> {
    const { status, chunks } = await this.call(request);
    const decoder = new TextDecoder();
    let text = "";
    try {
      for await (const chunk of chunks) {
        text += decoder.decode(chunk, { stream: true });
      }
    } catch (cause) {
      throw this.#failure(cause);
    }
    return { status, text: text + decoder.decode() };
  }

  /** Resolves when the server has closed the connection, or it was disposed. */
  async closed(): Promise<void> {
    await this.#wire.ended();
  }

  [Symbol.dispose](): void {
    this.#wire.close();
  }

  #failure(cause: unknown): TcError {
    const where = placeOf(this.#address);
    if (!this.#wire.isLate) return notRunning(where, cause);
    return new TcError(
      `Cannot use tc on ${where}: it does not answer in time`,
      {
        code: "no_answer",
        exitCode: EXIT.tryLater,
        hint: "tc doctor   looks at the server and its log",
        cause,
      },
    );
  }
}

/** Asks for the proof. Returns what was wrong with the answer, or null. */
async function trialOf(
  wire: Wire,
  address: ServerAddress,
  key: Secret,
): Promise<StrangerSign | null> {
  const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES))
    .toBase64({ alphabet: "base64url", omitPadding: true });
  try {
    await wire.write(
      `GET ${PROOF_PATH}?nonce=${nonce} HTTP/1.1\r\n` +
        `host: ${placeOf(address)}\r\n\r\n`,
    );
    const { status, headers } = await wire.head();
    if (status !== 200) return "no_proof";
    let text = "";
    const decoder = new TextDecoder();
    for await (const chunk of wire.body(headers)) {
      text += decoder.decode(chunk, { stream: true });
      if (text.length > PROOF_BYTES_MAX) return "no_proof";
    }
    const shown = proofIn(text);
    if (shown === null) return "no_proof";
    const proof = createHmac("sha256", key.reveal())
      .update(proofText({ port: address.port, nonce })).digest("base64url");
    return shown === proof ? null : "wrong_proof";
  } catch (cause) {
    if (wire.isLate) return "silent";
    return cause instanceof NotHttp ? "not_http" : "closed";
  }
}

function proofIn(text: string): string | null {
  try {
    const value: unknown = JSON.parse(text);
    const { schema, proof } = (value ?? {}) as Record<string, unknown>;
    return schema === "tc.proof/v1" && typeof proof === "string" ? proof : null;
  } catch {
    return null;
  }
}

class NotHttp extends Error {}

type Headers1 = ReadonlyMap<string, string>;

/**
 * Reads and writes HTTP/1.1 on one connection, as far as tc's own server speaks
 * it.
 */
class Wire {
  readonly #connection: Deno.TcpConn;
  readonly #signal: AbortSignal;
  readonly #stop: () => void;
  #rest: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #isClosed = false;
  /** Whether time was up before the response came. */
  isLate = false;

  private constructor(connection: Deno.TcpConn, signal: AbortSignal) {
    this.#connection = connection;
    this.#signal = signal;
    this.#stop = () => {
      this.isLate = true;
      this.close();
    };
    if (signal.aborted) this.#stop();
    else signal.addEventListener("abort", this.#stop, { once: true });
  }

  static async connect(
    address: ServerAddress,
    signal: AbortSignal,
  ): Promise<Wire> {
    const { promise: late, resolve } = Promise.withResolvers<null>();
    const onAbort = () => resolve(null);
    signal.addEventListener("abort", onAbort, { once: true });
    const connecting = Deno.connect({
      hostname: address.host,
      port: address.port,
    });
    try {
      const connection = await Promise.race([connecting, late]);
      if (connection !== null) return new Wire(connection, signal);
      // The connection may still come; close it then.
      connecting.then((unwanted) => unwanted.close(), () => {});
      throw new StrangerError("silent", address);
    } catch (cause) {
      if (cause instanceof TcError) throw cause;
      throw notRunning(placeOf(address), cause);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  async write(text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    for (let done = 0; done < bytes.length;) {
      done += await this.#connection.write(bytes.subarray(done));
    }
  }

  /** Reads status and header lines of the next response. */
  async head(): Promise<
    { readonly status: number; readonly headers: Headers1 }
  > {
    for (;;) {
      const text = new TextDecoder("latin1").decode(this.#rest);
      if (text !== "" && !"HTTP/1.".startsWith(text.slice(0, 7))) {
        throw new NotHttp();
      }
      const end = text.indexOf("\r\n\r\n");
      if (end !== -1) {
        this.#rest = this.#rest.slice(end + 4);
        return headIn(text.slice(0, end));
      }
      if (text.length > HEAD_BYTES_MAX) throw new NotHttp();
      const more = await this.#read();
      if (more === null) throw new Error("the connection was closed");
      this.#rest = joined(this.#rest, more);
    }
  }

  /** Yields the body of the response whose head was read last. */
  async *body(headers: Headers1): AsyncGenerator<Uint8Array> {
    if (headers.get("transfer-encoding")?.toLowerCase() === "chunked") {
      yield* this.#chunks();
      return;
    }
    const stated = headers.get("content-length");
    let left = stated === undefined ? Infinity : Number(stated);
    while (left > 0) {
      const bytes = await this.#take(left);
      if (bytes === null) {
        if (stated === undefined) return;
        throw new Error("the answer broke off");
      }
      left -= bytes.length;
      yield bytes;
    }
  }

  /** Resolves when the other side closes; discards bytes until then. */
  async ended(): Promise<void> {
    try {
      while (await this.#read() !== null);
    } catch {
      // It is closed either way.
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#signal.removeEventListener("abort", this.#stop);
    this.#connection.close();
  }

  async *#chunks(): AsyncGenerator<Uint8Array> {
    for (;;) {
      let left = Number.parseInt(await this.#line(), 16);
      if (!Number.isInteger(left)) throw new NotHttp();
      const isLast = left === 0;
      while (left > 0) {
        const bytes = await this.#take(left);
        if (bytes === null) throw new Error("the answer broke off");
        left -= bytes.length;
        yield bytes;
      }
      // A chunk ends with an empty line, the last one with the trailers.
      while (await this.#line() !== "") if (!isLast) throw new NotHttp();
      if (isLast) return;
    }
  }

  async #line(): Promise<string> {
    for (;;) {
      const end = this.#rest.indexOf(10);
      if (end !== -1) {
        const line = this.#rest.subarray(0, end);
        this.#rest = this.#rest.slice(end + 1);
        return new TextDecoder("latin1").decode(line).replace(/\r$/, "");
      }
      if (this.#rest.length > HEAD_BYTES_MAX) throw new NotHttp();
      const more = await this.#read();
      if (more === null) throw new Error("the answer broke off");
      this.#rest = joined(this.#rest, more);
    }
  }

  /** Returns at most `most` bytes, or null at the end of the connection. */
  async #take(most: number): Promise<Uint8Array | null> {
    if (this.#rest.length === 0) {
      const more = await this.#read();
      if (more === null) return null;
      this.#rest = more;
    }
    const taken = this.#rest.slice(0, Math.min(most, this.#rest.length));
    this.#rest = this.#rest.slice(taken.length);
    return taken;
  }

  async #read(): Promise<Uint8Array<ArrayBuffer> | null> {
    const buffer = new Uint8Array(16 * 1024);
    const count = await this.#connection.read(buffer);
    return count === null ? null : buffer.slice(0, count);
  }
}

function headIn(
  text: string,
): { readonly status: number; readonly headers: Headers1 } {
  const [first = "", ...lines] = text.split("\r\n");
  const status = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(first)?.[1];
  if (status === undefined) throw new NotHttp();
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(":");
      return [
        line.slice(0, colon).trim().toLowerCase(),
        line.slice(colon + 1).trim(),
      ] as const;
    }),
  );
  return { status: Number(status), headers };
}

function joined(
  first: Uint8Array<ArrayBuffer>,
  second: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  if (first.length === 0) return second;
  const whole = new Uint8Array(first.length + second.length);
  whole.set(first);
  whole.set(second, first.length);
  return whole;
}
