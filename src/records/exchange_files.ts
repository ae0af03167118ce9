/**
 * Writes one file per request and response into a folder that the user named.
 * It works outside the request path, limits size and age, and never touches
 * other files.
 *
 * @module
 */

import { join } from "node:path";
import { SafeTime } from "../system/clock_steps.ts";
import type { AccountId } from "../core/account.ts";
import { DAY_MS } from "../core/time.ts";
import type {
  Clock,
  ExchangeLog,
  ExchangeRecord,
  Journal,
  Secret,
} from "../ports.ts";
import { EXCHANGE_MARK, exchangeText } from "../wire/exchange_text.ts";
import { reasonOf } from "../errors.ts";

interface ExchangeFilesOptions {
  readonly folder: string;
  readonly hasBodies: boolean;
  readonly days: number;
  readonly bytesMax: number;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly labelOf: (id: AccountId) => string;
  /** Masked wherever it occurs. */
  readonly localKey: Secret;
}

/** `tc-20261121T123040123Z-tc_0123456789abcdef0123.txt`. */
const NAME = /^tc-\d{8}T\d{9}Z-tc_[0-9a-z]+\.txt$/;
const BODY_BYTES_MAX = 4 * 1024 * 1024;
/** Limit of exchanges that wait to be written; more are dropped and counted. */
const WAITING_MAX = 200;
/** Limit for their bodies, which no other limit counts any more. */
const WAITING_BYTES_MAX = 64 * 1024 * 1024;
const NO_BODY = new Uint8Array(0);
const SWEEP_MS = 60_000;
const TELL_MS = 60_000;

interface Kept {
  readonly name: string;
  readonly bytes: number;
}

export class ExchangeFiles implements ExchangeLog {
  readonly bodyBytesMax: number;
  readonly #options: ExchangeFilesOptions;
  readonly #sureTime: SafeTime;
  readonly #waiting: ExchangeRecord[] = [];
  /** Our files, oldest first; null until the folder was read. */
  #kept: Kept[] | null = null;
  #bytes = 0;
  #waitingBytes = 0;
  #work: Promise<void> | null = null;
  #dropped = 0;
  #sweepAtMs = 0;
  #tellAtMs = 0;
  #fault: string | null = null;

  constructor(options: ExchangeFilesOptions) {
    this.#options = options;
    this.#sureTime = new SafeTime(options.clock);
    this.bodyBytesMax = options.hasBodies ? BODY_BYTES_MAX : 0;
  }

  /** Why exchanges cannot be written now, or null. */
  get lost(): { readonly reason: string; readonly dropped: number } | null {
    return this.#fault === null
      ? null
      : { reason: this.#fault, dropped: this.#dropped };
  }

  finished(whole: ExchangeRecord): void {
    const requestBody = this.#options.hasBodies
      ? whole.requestBody.slice()
      : NO_BODY;
    const exchange = { ...whole, requestBody };
    const bytes = this.#waitingBytes + bytesOf(exchange);
    if (this.#waiting.length >= WAITING_MAX || bytes > WAITING_BYTES_MAX) {
      this.#dropped += 1;
      this.#tell("too many exchanges at once");
      return;
    }
    this.#waiting.push(exchange);
    this.#waitingBytes = bytes;
    this.#work ??= this.#writeAll().finally(() => {
      this.#work = null;
    });
  }

  /** Resolves when everything that waits is written. */
  async close(): Promise<void> {
    while (this.#work !== null) await this.#work;
  }

  async #writeAll(): Promise<void> {
    for (
      let exchange = this.#waiting.shift();
      exchange !== undefined;
      exchange = this.#waiting.shift()
    ) {
      this.#waitingBytes -= bytesOf(exchange);
      try {
        await this.#writeOnce(exchange);
        this.#fault = null;
      } catch (cause) {
        this.#dropped += 1;
        this.#tell(reasonOf(cause));
      }
    }
  }

  /** Creates the folder again if somebody has removed it. */
  async #writeOnce(exchange: ExchangeRecord): Promise<void> {
    try {
      await this.#write(exchange);
    } catch (cause) {
      if (!(cause instanceof Deno.errors.NotFound)) throw cause;
      await this.#write(exchange);
    }
  }

  async #write(exchange: ExchangeRecord): Promise<void> {
    const { folder, hasBodies, labelOf, localKey, clock } = this.#options;
    if (this.#kept === null) {
      await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
      this.#kept = await this.#found();
      this.#bytes = this.#kept.reduce((sum, { bytes }) => sum + bytes, 0);
    }
    const text = exchangeText(exchange, {
      hasBodies,
      bodyBytesMax: BODY_BYTES_MAX,
      labelOf,
      localKey,
    });
    const { id, startedAt } = exchange.record;
    const time = new Date(startedAt).toISOString().replace(/[-:.]/g, "");
    const name = `tc-${time}-${id}.txt`;
    const bytes = new TextEncoder().encode(text);
    await this.#create(join(folder, name), bytes);
    this.#kept.push({ name, bytes: bytes.length });
    this.#bytes += bytes.length;
    const now = clock.monotonicMs();
    if (this.#bytes > this.#options.bytesMax || now >= this.#sweepAtMs) {
      this.#sweepAtMs = now + SWEEP_MS;
      await this.#sweep();
    }
  }

  async #create(path: string, bytes: Uint8Array): Promise<void> {
    try {
      await Deno.writeFile(path, bytes, { createNew: true, mode: 0o600 });
    } catch (cause) {
      if (cause instanceof Deno.errors.AlreadyExists) throw cause;
      // Read the folder again, and remove the partial file.
      this.#kept = null;
      await Deno.remove(path).catch(() => {});
      throw cause;
    }
  }

  /**
   * Returns files with our kind of name; the mark inside is checked before
   * deleting.
   */
  async #found(): Promise<Kept[]> {
    const { folder } = this.#options;
    const found: Kept[] = [];
    for await (const { name, isFile } of Deno.readDir(folder)) {
      if (!isFile || !NAME.test(name)) continue;
      const { size } = await Deno.stat(join(folder, name));
      found.push({ name, bytes: size });
    }
    // The name holds the time.
    return found.sort((a, b) => a.name < b.name ? -1 : 1);
  }

  async #sweep(): Promise<void> {
    const { days, bytesMax } = this.#options;
    const kept = this.#kept ?? [];
    const oldest = new Date(this.#sureTime.now() - days * DAY_MS).toISOString()
      .replace(/[-:.]/g, "");
    while (kept.length > 0) {
      const [first] = kept;
      const isOld = first !== undefined && first.name < `tc-${oldest}`;
      if (first === undefined || !isOld && this.#bytes <= bytesMax) return;
      kept.shift();
      this.#bytes -= first.bytes;
      await this.#removeOwn(join(this.#options.folder, first.name));
    }
  }

  async #removeOwn(path: string): Promise<void> {
    try {
      if (await hasMark(path)) await Deno.remove(path);
    } catch (cause) {
      // Somebody else has removed it.
      if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    }
  }

  #tell(reason: string): void {
    const { clock, journal, folder } = this.#options;
    this.#fault = reason;
    const now = clock.monotonicMs();
    if (now < this.#tellAtMs) return;
    this.#tellAtMs = now + TELL_MS;
    const dropped = this.#dropped;
    journal.log("warn", "exchanges", { folder, reason, dropped });
  }
}

function bytesOf({ requestBody, answer }: ExchangeRecord): number {
  return (answer?.body ?? []).reduce(
    (sum, chunk) => sum + chunk.length,
    requestBody.length,
  );
}

async function hasMark(path: string): Promise<boolean> {
  using file = await Deno.open(path);
  const start = new Uint8Array(EXCHANGE_MARK.length);
  await file.read(start);
  return new TextDecoder().decode(start) === EXCHANGE_MARK;
}
