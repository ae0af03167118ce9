/**
 * Runs the Deck: messages in, frames out, effects carried out. The status comes
 * from the server, the sessions from files of this machine.
 *
 * @module
 */

import { SessionReader } from "../claude/sessions/sessions.ts";
import { ControlClient, type ControlTransport } from "../control/client.ts";
import { hintOf, reasonOf } from "../errors.ts";
import { MINUTE_MS } from "../core/time.ts";
import type { Clock } from "../ports.ts";
import { explainRow } from "./explain.ts";
import { parseKeys } from "./terminal/keys.ts";
import {
  curveFeed,
  eventFeed,
  type FeedOptions,
  localFeed,
  Nudge,
  nudgedFeed,
  statusFeed,
  toldFeed,
} from "./feeds.ts";
import { layoutOf } from "./layout.ts";
import { undoOf } from "./input/undo.ts";
import {
  type Effect,
  type Look,
  type Message,
  type Model,
  startModel,
  type Undo,
} from "./model.ts";
import { Screen } from "./terminal/screen.ts";
import type { DeckTerminal } from "./terminal/terminal.ts";
import type { ColorDepth } from "./terminal/theme.ts";
import { update } from "./update.ts";
import { CONTROL } from "../control/protocol.ts";
import type { PersonShell } from "../shell_words.ts";

interface DeckOptions {
  /**
   * The connection to the server: HTTP, or messages inside the server's own
   * process.
   */
  readonly transport: ControlTransport;
  readonly terminal: DeckTerminal;
  readonly clock: Clock;
  readonly look: Look;
  /** The shell for which hints are written. */
  readonly person: PersonShell;
  readonly depth: ColorDepth;
  /** Whether leaving the Deck stops the server. */
  readonly isServer: boolean;
  /** `~/.claude`, or null to read no files. */
  readonly claudeFolder: string | null;
  /** Runs `tc <args>` on this terminal and returns its exit code. */
  readonly runTc: (args: readonly string[]) => Promise<number>;
  /** Ends the Deck from outside. */
  readonly signal: AbortSignal;
}

/** How the Deck ended; `lost` means the terminal hung up. */
export type DeckEnd = "quit" | "detached" | "lost" | "aborted";

const TICK_MS = 1_000;

/**
 * Shows the Deck until a person leaves it, the terminal is gone or `signal`
 * aborts. The terminal is restored before it resolves.
 */
export async function runDeck(options: DeckOptions): Promise<DeckEnd> {
  const deck = new Deck(options);
  return await deck.run();
}

class Deck {
  readonly #options: DeckOptions;
  readonly #client: ControlClient;
  readonly #screen: Screen;
  readonly #nudge = new Nudge();
  readonly #stop = new AbortController();
  readonly #ended = Promise.withResolvers<DeckEnd>();
  #model: Model;
  /** While another program has the terminal, no key is read. */
  #handOver: Promise<void> = Promise.resolve();

  constructor(options: DeckOptions) {
    const { terminal, clock, look, isServer, depth } = options;
    this.#options = options;
    this.#client = new ControlClient(options.transport);
    this.#model = startModel({
      size: terminal.size(),
      now: clock.now(),
      look,
      isServer,
    });
    this.#screen = new Screen({
      terminal,
      depth,
      clock,
      onLost: () => this.#end("lost"),
    });
  }

  async run(): Promise<DeckEnd> {
    const { terminal, signal } = this.#options;
    const abort = () => this.#end("aborted");
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    const offResize = terminal.onResize(() =>
      this.#receive({ kind: "resized", size: terminal.size() })
    );
    try {
      if (!this.#hasEntered()) return "lost";
      this.#screen.show(this.#model);
      this.#start();
      return await this.#ended.promise;
    } finally {
      signal.removeEventListener("abort", abort);
      offResize();
      this.#stop.abort();
      this.#screen.close();
      terminal.close();
    }
  }

  /** Returns whether the terminal was taken; it may have hung up before. */
  #hasEntered(): boolean {
    try {
      this.#options.terminal.enter();
      return true;
    } catch {
      return false;
    }
  }

  /**
   * Starts the loops. Each runs until the Deck ends, and a fault in one ends
   * the Deck.
   */
  #start(): void {
    const { clock, claudeFolder } = this.#options;
    const feed: FeedOptions = {
      client: this.#client,
      clock,
      signal: this.#stop.signal,
      send: (message) => this.#receive(message),
    };
    const loops = [
      this.#readKeys(),
      this.#tick(),
      ...(this.#client.isTold
        ? [toldFeed(feed), nudgedFeed(feed, this.#nudge)]
        : [statusFeed(feed, this.#nudge), eventFeed(feed, this.#nudge)]),
      curveFeed(feed, () => this.#hasCurves),
      ...(claudeFolder === null
        ? []
        : [localFeed(feed, new SessionReader(claudeFolder))]),
    ];
    for (const loop of loops) loop.catch(this.#ended.reject);
  }

  /** Whether the screen is wide enough for curves. */
  get #hasCurves(): boolean {
    return layoutOf(this.#model.size).boxes.has("curves");
  }

  #end(how: DeckEnd): void {
    this.#ended.resolve(how);
    this.#stop.abort();
  }

  async #readKeys(): Promise<void> {
    const { terminal } = this.#options;
    let rest: Uint8Array = new Uint8Array();
    while (!this.#stop.signal.aborted) {
      // A pending read would take the keys of the program that has the terminal
      // next, and keep this process alive after the end.
      await this.#handOver;
      const bytes = await terminal.read();
      if (bytes === null) return this.#end("lost");
      const parsed = parseKeys(bytes, rest);
      rest = parsed.rest;
      for (const key of parsed.keys) this.#receive({ kind: "key", key });
    }
  }

  async #tick(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await clock.sleep(TICK_MS, signal).catch(() => {});
      const now = clock.now();
      if (isTickDue(this.#model, now)) this.#receive({ kind: "ticked", now });
    }
  }

  #receive(message: Message): void {
    if (this.#stop.signal.aborted) return;
    const [model, effects] = update(this.#model, message);
    const isSame = model === this.#model;
    this.#model = model;
    for (const effect of effects) this.#run(effect);
    if (!isSame) this.#screen.show(this.#model);
  }

  #run(effect: Effect): void {
    const { terminal } = this.#options;
    switch (effect.kind) {
      case "end":
        return this.#end(effect.how);
      case "bell":
        return this.#screen.ring();
      case "redraw":
        return this.#screen.redraw();
      case "copy":
        return this.#screen.copy(effect.text);
      case "suspend":
        return this.#whileAway(() => Promise.resolve(terminal.suspend()));
      case "hand_over":
        return this.#whileAway(() => this.#runTc(effect.args));
      case "explain":
        explainRow(effect.row, this.#model, this.#client).then(
          (message) => this.#receive(message),
        );
        return;
      case "pin":
      case "policy":
      case "reload":
      case "rename":
      case "enable":
      case "priority":
      case "remove":
        this.#serverEffect(effect).then((message) => {
          this.#receive(message);
          this.#nudge.now();
        });
        return;
    }
  }

  /** Draws no frame and reads no key until `away` is over. */
  #whileAway(away: () => Promise<void>): void {
    const { terminal } = this.#options;
    this.#screen.pause();
    this.#handOver = away()
      .catch((cause) => this.#receive(failed(cause, this.#options.person)))
      .finally(() => {
        if (this.#stop.signal.aborted) return;
        terminal.enter();
        this.#receive({ kind: "resized", size: terminal.size() });
        this.#screen.resume();
      });
  }

  #serverEffect(effect: ServerEffect): Promise<Message> {
    const undo = undoOf(effect, this.#model.status);
    const { person } = this.#options;
    return runServerEffect(effect, { client: this.#client, person, undo });
  }

  async #runTc(args: readonly string[]): Promise<void> {
    const { terminal, runTc } = this.#options;
    terminal.leave();
    const code = await runTc(args);
    terminal.write(
      `\n${code === 0 ? "Done." : `It ended with code ${code}.`} ` +
        "Press Enter to go back to the Deck.\n",
    );
    await terminal.read();
    const reload = { kind: "reload" } as const;
    this.#receive(await this.#serverEffect(reload));
    this.#nudge.now();
  }
}

/** The effects that the server carries out. */
type ServerEffect = Effect & {
  readonly kind:
    | "pin"
    | "policy"
    | "reload"
    | "rename"
    | "enable"
    | "priority"
    | "remove";
};

/** Runs `effect`. Never throws: a failure becomes a message. */
async function runServerEffect(
  effect: ServerEffect,
  { client, person, undo }: {
    readonly client: ControlClient;
    readonly person: PersonShell;
    readonly undo: Undo | null;
  },
): Promise<Message> {
  try {
    return { kind: "done", text: await run(effect, client), undo };
  } catch (cause) {
    return failed(cause, person);
  }
}

/** Returns what went wrong, as a message. */
function failed(cause: unknown, person: PersonShell): Message {
  const text = reasonOf(cause);
  return { kind: "failed", text, hint: hintOf(cause, person) };
}

async function run(
  effect: ServerEffect,
  client: ControlClient,
): Promise<string> {
  switch (effect.kind) {
    case "pin": {
      const { account } = effect;
      await client.send("PUT", CONTROL.pin, { account });
      return account === null ? "The pin is off" : `Pinned to ${account}`;
    }
    case "policy": {
      const { policy } = effect;
      await client.send("PUT", CONTROL.policy, { policy });
      return `The policy is ${policy} now`;
    }
    case "reload":
      return reloadText(await client.send("POST", CONTROL.reload, {}));
    case "rename": {
      const { account, label } = effect;
      await client.send("PATCH", one(account), { name: label });
      return `${account} is called ${label} now`;
    }
    case "enable": {
      const { account, isOn } = effect;
      await client.send("PATCH", one(account), { enabled: isOn });
      return `${account} is ${isOn ? "on" : "off"}`;
    }
    case "priority": {
      const { account, priority } = effect;
      await client.send("PATCH", one(account), { priority });
      return `${account} has priority ${priority}`;
    }
    case "remove":
      await client.send("DELETE", one(effect.account), {});
      return `${effect.account} is removed`;
  }
}

function one(account: string): string {
  return `${CONTROL.accounts}/${encodeURIComponent(account)}`;
}

function reloadText(answer: unknown): string {
  const { changes } = (answer ?? {}) as { readonly changes?: unknown };
  const list = Array.isArray(changes) ? changes.map(String) : [];
  return list.length === 0
    ? "Read again: nothing changed"
    : `Read again: ${list.join("; ")}`;
}

/** How often a screen on which no second counts is drawn again. */
const CALM_TICK_MS = 10_000;

/** Returns whether the screen shows seconds that pass, or ten seconds passed. */
function isTickDue(model: Model, now: number): boolean {
  const { status, link, note, now: shown } = model;
  const counts = link.kind !== "live" || note !== null ||
    (status?.requests.length ?? 0) > 0 ||
    (status?.accounts ?? []).some(({ until }) =>
      until !== null && Math.abs(until.ms - now) < MINUTE_MS
    );
  return counts || now - shown >= CALM_TICK_MS || now < shown;
}
