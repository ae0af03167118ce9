/**
 * A listener that comes back. Deno's ends for good, and without a word while
 * connections are open, when one `accept` fails: too many open files, or a
 * connection that was reset before it was taken (as macOS reports it).
 *
 * @module
 */

import type { Journal } from "../ports.ts";

/** How long nobody may listen. */
const LOOK_MS = 500;

export interface LastingOptions<Address extends Deno.Addr> {
  /** Names it in the log. */
  readonly name: string;
  /** Starts to listen; throws where it cannot. */
  readonly serve: () => Deno.HttpServer<Address>;
  /** Whether somebody listens there; null where that cannot be told now. */
  readonly isOpen: (address: Address) => Promise<boolean | null>;
  readonly journal: Journal;
}

export class LastingServer<Address extends Deno.Addr> {
  readonly #options: LastingOptions<Address>;
  /** The one that listens, and those before it while they have connections. */
  readonly #servers = new Set<Deno.HttpServer<Address>>();
  readonly #timer: ReturnType<typeof setInterval>;
  readonly addr: Address;
  #isOver = false;
  #isLooking = false;

  /** Listens when it returns; throws what `serve` throws. */
  constructor(options: LastingOptions<Address>) {
    this.#options = options;
    this.addr = this.#begin();
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  /** Takes no new connection; resolves when every answer has ended. */
  async shutdown(): Promise<void> {
    this.stopWatch();
    await Promise.all(
      [...this.#servers].map((server) => server.shutdown().catch(() => {})),
    );
  }

  /** From here on a listener that ends is not replaced. */
  stopWatch(): void {
    this.#isOver = true;
    clearInterval(this.#timer);
  }

  #begin(): Address {
    const server = this.#options.serve();
    this.#servers.add(server);
    server.finished.catch(() => {
      // The next look finds that nobody listens.
    }).finally(() => this.#servers.delete(server));
    return server.addr;
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      const isOpen = await this.#options.isOpen(this.addr);
      if (isOpen !== false || this.#isOver) return;
      this.#begin();
      this.#tell("the listener had ended and is back");
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      this.#tell(`Cannot listen again: ${reason}`);
    } finally {
      this.#isLooking = false;
    }
  }

  #tell(reason: string): void {
    const { journal, name } = this.#options;
    journal.log("warn", "listener", { name, reason });
  }
}

/** Whether anybody listens on a port, by trying to have it for a moment. */
export function isPortOpen(
  { hostname, port }: Deno.NetAddr,
): Promise<boolean | null> {
  try {
    Deno.listen({ hostname, port }).close();
    return Promise.resolve(false);
  } catch (cause) {
    const isTaken = cause instanceof Deno.errors.AddrInUse;
    return Promise.resolve(isTaken ? true : null);
  }
}

/** Whether anybody listens on the socket at `path`. */
export async function isSocketOpen(path: string): Promise<boolean | null> {
  try {
    (await Deno.connect({ transport: "unix", path })).close();
    return true;
  } catch (cause) {
    const isClosed = cause instanceof Deno.errors.ConnectionRefused ||
      cause instanceof Deno.errors.NotFound;
    return isClosed ? false : null;
  }
}
