/**
 * The server in the background: the command that needs it starts it, and each
 * `tc run` keeps it running while its client works.
 *
 * @module
 */

import { join } from "node:path";
import { readHolder } from "./server_claim.ts";
import { ServerConnection } from "../control/server_connection.ts";
import { EXIT, TcError } from "../errors.ts";
import { ensurePrivateFolder } from "../store/files/atomic.ts";
import { openOwnSync } from "../store/files/own_files.ts";
import { withOpenFiles } from "../system/open_files.ts";
import { ownCommand } from "../system/own_command.ts";
import { absolutePaths } from "./working_folder.ts";
import type { PoolSite } from "./pool_site.ts";
import { withVariables } from "../shell_words.ts";

/** Longest wait for a new server to answer. */
const START_WAIT_MS = 15_000;
const LOOK_MS = 50;
/**
 * A draining server still holds the pool: wait this long before the next try.
 */
const AGAIN_MS = 300;
const LOG_TAIL_LINES = 5;
const STDERR_LENGTH_MAX = 16_384;

/**
 * Starts a server that outlives this process, and waits until it answers. Does
 * nothing if one answers already. If several processes want a server at the
 * same time, one of them starts it. Its log goes to a file in the state folder.
 */
export async function startInBackground(site: PoolSite): Promise<void> {
  const { stateFolder } = site.paths;
  await ensurePrivateFolder(stateFolder);
  using turn = openOwnSync(join(stateFolder, "start.lock"), { write: true });
  // The system releases the lock when this process dies.
  await turn.lock(true);
  const deadline = performance.now() + START_WAIT_MS;
  while (!await site.isServing()) {
    const attempt = new StartAttempt(site);
    const isUp = await attempt.wait(deadline);
    if (isUp) return;
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

/** One process that may become the server. */
class StartAttempt {
  readonly #site: PoolSite;
  readonly #child: Deno.ChildProcess;
  readonly #log: LogSince;
  readonly #words: Promise<string>;
  readonly #stderr: ReadableStreamDefaultReader<Uint8Array>;
  #code: number | null = null;

  constructor(site: PoolSite) {
    this.#site = site;
    const { stateFolder } = site.paths;
    this.#log = new LogSince(join(stateFolder, "server.log"));
    const server = ["server", "--headless", "--log-file", this.#log.file];
    const [program = "", ...args] = withOpenFiles(
      ownCommand(server),
      site.system,
    );
    this.#child = new Deno.Command(program, {
      args,
      // The caller's folder may be removed.
      cwd: stateFolder,
      env: absolutePaths(site.environment),
      stdin: "null",
      stdout: "null",
      // It writes its errors here before it has a log.
      stderr: "piped",
      detached: true,
    }).spawn();
    this.#child.unref();
    this.#child.status.then(({ code }) => (this.#code = code));
    this.#stderr = this.#child.stderr.getReader();
    this.#words = textFrom(this.#stderr);
  }

  /**
   * Returns whether a server answers: false if another process had the pool and
   * does not answer yet. Throws TcError `start_failed`.
   */
  async wait(deadline: number): Promise<boolean> {
    try {
      while (!await this.#site.isServing()) {
        if (performance.now() > deadline) throw await this.#failure();
        if (this.#code === EXIT.alreadyRunning) {
          refuseElsewhere(this.#site);
          return false;
        }
        if (this.#code !== null) throw await this.#failure();
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      }
      if (this.#code === null) await endSpare(this.#site, this.#child);
      return true;
    } finally {
      // An open pipe would keep this process alive.
      await this.#stderr.cancel().catch(() => {});
    }
  }

  async #failure(): Promise<TcError> {
    const why = this.#code === null
      ? `it did not answer within ${START_WAIT_MS / 1000} s`
      : `it ended with code ${this.#code}`;
    await this.#stderr.cancel().catch(() => {});
    const words = (await this.#words).trim();
    const said = [
      ...(words === "" ? [] : words.split("\n")),
      ...this.#log.lines(),
    ].slice(-LOG_TAIL_LINES);
    return new TcError(`Cannot start the server: ${why}`, {
      code: "start_failed",
      exitCode: EXIT.unavailable,
      hint: [
        ...(said.length === 0 ? ["It wrote no error message."] : said),
        `The whole log: ${this.#log.file}`,
      ].join("\n"),
    });
  }
}

async function textFrom(
  reader: ReadableStreamDefaultReader<Uint8Array>,
): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text;
    text = (text + decoder.decode(value, { stream: true }))
      .slice(-STDERR_LENGTH_MAX);
  }
}

/** The lines that are added to a log file from now on. */
class LogSince {
  readonly file: string;
  readonly #bytesBefore: number;

  constructor(file: string) {
    this.file = file;
    this.#bytesBefore = this.#bytes()?.length ?? 0;
  }

  lines(): readonly string[] {
    const bytes = this.#bytes() ?? new Uint8Array(0);
    // A log that was rotated meanwhile starts at the beginning.
    const from = bytes.length < this.#bytesBefore ? 0 : this.#bytesBefore;
    const text = new TextDecoder().decode(bytes.subarray(from)).trim();
    return text === "" ? [] : text.split("\n");
  }

  #bytes(): Uint8Array | null {
    try {
      return Deno.readFileSync(this.file);
    } catch {
      // The server may have ended before it wrote a line.
      return null;
    }
  }
}

/**
 * Another process started a server first. Ours must end, or it would take over
 * as soon as somebody stops that one.
 */
async function endSpare(
  site: PoolSite,
  child: Deno.ChildProcess,
): Promise<void> {
  try {
    const { pid } = await site.client().health();
    if (pid !== child.pid) child.kill("SIGTERM");
  } catch {
    // Our server or the other one has ended by itself.
  }
}

/**
 * Throws TcError where the pool's server listens on another port than the
 * config says.
 */
function refuseElsewhere({ paths, origin }: PoolSite): void {
  const holder = readHolder(paths.stateFolder);
  if (holder === null) return;
  const { port } = new URL(holder.origin);
  if (port === new URL(origin).port) return;
  throw new TcError(
    `Cannot use ${origin}: the server of this pool (pid ${holder.pid}) listens on ${holder.origin}`,
    {
      code: "already_running",
      source: "user",
      exitCode: EXIT.alreadyRunning,
      hint: (person) => {
        const at = { TC_PROXY_PORT: port };
        return `${withVariables(person, at, "tc run")}   uses it\n` +
          `${withVariables(person, at, "tc stop")}  ends it`;
      },
    },
  );
}

/** If a connection ends sooner, a server that still runs has closed it. */
const QUICK_MS = 500;

/** Waits after failed starts, in milliseconds; the last one repeats. */
const PAUSES_MS = [500, 1_000, 2_000, 5_000, 10_000, 30_000];

/**
 * Keeps a server running as long as a client needs it. It holds one connection;
 * when that ends, the server has ended and it starts another.
 */
export class ServerKeeper implements Disposable {
  readonly #site: PoolSite;
  readonly #stop = new AbortController();
  readonly #mark: Deno.FsFile | null;
  readonly #files: readonly string[];
  /** The number of servers that this keeper has started. */
  starts = 0;

  constructor(site: PoolSite) {
    this.#site = site;
    this.#mark = sharedMark(site);
    const { configFile, stateFolder } = site.paths;
    this.#files = [configFile, stateFolder].filter(isThere);
    this.#keep();
  }

  /** Stops watching. A start that is under way continues. */
  [Symbol.dispose](): void {
    this.#stop.abort();
    this.#mark?.close();
  }

  async #keep(): Promise<void> {
    const { signal } = this.#stop;
    let failures = 0;
    while (!signal.aborted) {
      try {
        const startedMs = performance.now();
        if (await this.#watch()) {
          failures = 0;
          // Do not reconnect all the time to a server that closes idle
          // connections.
          if (performance.now() - startedMs < QUICK_MS) {
            await sleep(QUICK_MS, signal);
          }
          continue;
        }
        // The pool was removed; a server with the defaults would serve another
        // pool.
        if (!this.#files.every(isThere)) return;
        await startInBackground(this.#site);
        this.starts += 1;
      } catch {
        // The client has the screen; the reason is in the server's log.
        const pause = PAUSES_MS[Math.min(failures, PAUSES_MS.length - 1)];
        failures += 1;
        await sleep(pause ?? 0, signal);
      }
    }
  }

  /** Waits while a server runs. Returns false if none runs. */
  async #watch(): Promise<boolean> {
    const { signal } = this.#stop;
    const { address, key } = this.#site;
    if (!await this.#site.isServing()) return false;
    using connection = await ServerConnection.open(address, key, signal);
    // The server keeps a connection that has shown the key.
    await connection.ask({ method: "GET", path: "/healthz", body: null });
    await connection.closed();
    return true;
  }
}

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  signal.addEventListener("abort", () => resolve(), { once: true });
  return promise.finally(() => clearTimeout(timer));
}

/** Whether a `tc run` of this pool is open that would start a server again. */
export function isKept(site: PoolSite): boolean {
  try {
    using mark = openMark(site);
    return !mark.tryLockSync(true);
  } catch {
    // Without the folder nobody keeps a server.
    return false;
  }
}

/**
 * Returns the lock that all keepers share, or null where the folder cannot be
 * written.
 */
function sharedMark(site: PoolSite): Deno.FsFile | null {
  try {
    const mark = openMark(site);
    mark.tryLockSync(false);
    return mark;
  } catch {
    return null;
  }
}

function openMark({ paths }: PoolSite): Deno.FsFile {
  return Deno.openSync(join(paths.stateFolder, "runs.lock"), {
    create: true,
    write: true,
    mode: 0o600,
  });
}
