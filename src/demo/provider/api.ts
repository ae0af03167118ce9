/**
 * The fake Anthropic API on a real port. `tc demo` and all tests use it.
 *
 * @module
 */

import type { AccountOptions, DemoAccount } from "./account.ts";
import { digest } from "../dice.ts";
import { Exchange } from "./exchange.ts";
import type { FaultOptions } from "./faults.ts";
import { MANUAL_PATH } from "./oauth_sign_in.ts";
import { type DemoRequest, logLine, type Truth } from "./records.ts";
import { REFUSALS } from "./refusal.ts";
import { handle } from "./routes.ts";
import { CutOff } from "../answer/stream_body.ts";
import type { FamilyCounts } from "../token_book.ts";
import type { WarpClock } from "../warp_clock.ts";
import { type DemoSettings, World, type WorldOptions } from "./world.ts";

export interface DemoApiOptions extends WorldOptions {
  /** 0 takes any free port. */
  readonly port?: number;
}

/** The address of each of the provider's services. */
export interface DemoEndpoints {
  readonly api: string;
  readonly authorize: string;
  readonly token: string;
  readonly manualRedirect: string;
}

const HOST = "127.0.0.1";

/** Starts the fake provider; it listens when this resolves. */
export async function startDemoApi(
  options: DemoApiOptions = {},
): Promise<DemoApi> {
  const { port, ...worldOptions } = options;
  const world = new World(worldOptions);
  const listening = Promise.withResolvers<void>();
  const server = Deno.serve({
    hostname: HOST,
    port: port ?? 0,
    onListen: () => listening.resolve(),
    onError: () => new Response(null, { status: 500 }),
  }, (request) => answer(world, request));
  await listening.promise;
  return new DemoApi(world, server);
}

export class DemoApi implements AsyncDisposable {
  readonly port: number;
  /** Scheme, host and port. */
  readonly url: string;
  readonly #world: World;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(world: World, server: Deno.HttpServer<Deno.NetAddr>) {
    this.#world = world;
    this.#server = server;
    this.port = server.addr.port;
    this.url = `http://${HOST}:${this.port}`;
  }

  /** The time that windows, tokens and caches go by. */
  get clock(): WarpClock {
    return this.#world.clock;
  }

  get endpoints(): DemoEndpoints {
    return {
      api: this.url,
      authorize: `${this.url}/oauth/authorize`,
      token: `${this.url}/v1/oauth/token`,
      manualRedirect: this.url + MANUAL_PATH,
    };
  }

  /**
   * Returns the account `name`, made on first use; only then do `options`
   * count.
   */
  account(name: string, options: AccountOptions = {}): DemoAccount {
    return this.#world.account(name, options);
  }

  accounts(): readonly DemoAccount[] {
    return [...this.#world.accounts.values()];
  }

  /** Draws faults from a seed for messages without a script; null ends that. */
  faults(options: FaultOptions | null): void {
    this.#world.setFaults(options);
  }

  set(settings: Partial<DemoSettings>): void {
    this.#world.settings = { ...this.#world.settings, ...settings };
  }

  /** Signs the browser in as `account`, so that the page offers it alone. */
  signIn(account: string | null): void {
    this.#world.browserAccount = account;
  }

  /** Returns messages as compact lines: `work 429`, `home 200 complete`. */
  log(): readonly string[] {
    return this.requests("/v1/messages").map(logLine);
  }

  /** Returns the records, oldest first; of one path if given. */
  requests(path: string | null = null): readonly DemoRequest[] {
    return this.#world.records.all().filter((request) =>
      path === null || request.target.split("?")[0] === path
    );
  }

  /** Returns the true token sums of all accepted messages. */
  truth(): Truth {
    return this.#world.records.truth();
  }

  /** Returns how often each body, by its sha256, was accepted. */
  acceptedPerBody(): ReadonlyMap<string, number> {
    return this.#world.records.acceptedPerBody();
  }

  /**
   * Returns the same for each `x-demo-nonce`. Test clients make a new nonce for
   * every send, so a count above one means that something in between sent it
   * twice.
   */
  acceptedPerNonce(): ReadonlyMap<string, number> {
    return this.#world.records.acceptedPerNonce();
  }

  /** Returns how many refresh families were made, rotated and killed. */
  families(): FamilyCounts {
    return this.#world.tokens.counts();
  }

  /**
   * Returns whether `token` is the newest refresh token of a living login of
   * `account`.
   */
  isCurrentToken(token: string, account: string): boolean {
    const { tokens } = this.#world;
    return tokens.ownerOf(token) === account && tokens.isCurrent(token);
  }

  /** Requests that have not ended. */
  get running(): number {
    return this.#world.records.running;
  }

  /** Resolves when no request runs. */
  idle(): Promise<void> {
    return this.#world.records.idle();
  }

  /**
   * Breaks off what still runs and closes the port. Throws if a handler failed.
   */
  async stop(): Promise<void> {
    const done = this.#server.shutdown();
    for (const stop of this.#world.openAnswers) stop.abort(new CutOff());
    await done;
    if (this.#world.crashes.length > 0) {
      throw new AggregateError(
        this.#world.crashes,
        "Cannot stop the demo API quietly: a handler failed",
      );
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

async function answer(world: World, request: Request): Promise<Response> {
  const { headers } = request;
  const record = world.records.open({
    startedAt: world.clock.now(),
    method: request.method,
    target: targetOf(request),
    headers: [...headers],
    nonce: headers.get("x-demo-nonce"),
    session: headers.get("x-claude-code-session-id"),
    agent: headers.get("x-claude-code-agent-id"),
  });
  try {
    const body = await request.bytes();
    record.bodySha256 = digest([body]);
    record.bodyBytes = body.length;
    const exchange = new Exchange({ world, request, record, body });
    return body.length > world.settings.bodyBytesMax
      ? await exchange.refuse(REFUSALS.too_large)
      : await handle(exchange);
  } catch (reason) {
    const hasLeft = request.signal.aborted || record.bodySha256 === "";
    if (!hasLeft && !(reason instanceof CutOff)) world.crashes.push(reason);
    world.records.close(
      record,
      hasLeft ? "client_gone" : "cut",
      world.clock.now(),
    );
    return new Response(null, { status: 500 });
  }
}

/** Returns path and query as written, which `URL` would normalise. */
function targetOf(request: Request): string {
  const at = request.url.indexOf("/", request.url.indexOf("//") + 2);
  return at === -1 ? "/" : request.url.slice(at);
}
