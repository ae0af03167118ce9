import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import {
  type ControlAnswer,
  type ControlTransport,
  notRunning,
} from "../../src/control/client.ts";
import { CONTROL, type StatusView } from "../../src/control/protocol.ts";
import type { Size } from "../../src/deck/terminal/frame.ts";
import { type DeckEnd, runDeck } from "../../src/deck/program.ts";
import type { DeckTerminal } from "../../src/deck/terminal/terminal.ts";
import { UNICODE } from "../../src/deck/terminal/theme.ts";
import { ManualClock } from "../fixtures/manual_clock.ts";
import { Emulator } from "./emulator.ts";
import { poolStatus, time } from "./scene.ts";
import { MANUAL_SHELL } from "../../src/shell_words.ts";

/** A terminal that writes down what it gets and types what it is told. */
class FakeTerminal implements DeckTerminal {
  readonly written: string[] = [];
  readonly calls: string[] = [];
  #size: Size = { columns: 100, rows: 30 };
  #typed: Uint8Array[] = [];
  #reader: ((bytes: Uint8Array | null) => void) | null = null;
  #onResize: () => void = () => {};
  isGone = false;

  size(): Size {
    return this.#size;
  }

  enter(): void {
    this.calls.push("enter");
  }

  leave(): void {
    this.calls.push("leave");
  }

  close(): void {
    this.calls.push("close");
    this.#reader?.(null);
  }

  write(text: string): void {
    if (this.isGone) throw new Error("gone");
    this.written.push(text);
  }

  read(): Promise<Uint8Array | null> {
    const next = this.#typed.shift();
    if (next !== undefined) return Promise.resolve(next);
    return new Promise((resolve) => this.#reader = resolve);
  }

  type(text: string): void {
    const bytes = new TextEncoder().encode(text);
    const reader = this.#reader;
    this.#reader = null;
    if (reader === null) this.#typed.push(bytes);
    else reader(bytes);
  }

  get isRead(): boolean {
    return this.#reader !== null;
  }

  resize(columns: number, rows: number): void {
    this.#size = { columns, rows };
    this.#onResize();
  }

  onResize(listener: () => void): () => void {
    this.#onResize = listener;
    return () => this.#onResize = () => {};
  }

  suspend(): void {
    this.calls.push("suspend");
  }
}

/** A server that answers with one status, until it is lost. */
class FakeServer implements ControlTransport {
  status: StatusView = calm();
  isLost = false;
  readonly calls: string[] = [];
  #tell: (data: string) => void = () => {};

  call(method: string, path: string, body: string | null) {
    if (this.isLost) return Promise.reject(notRunning("127.0.0.1:3456"));
    if (path !== CONTROL.status) {
      this.calls.push(`${method} ${path} ${body ?? ""}`.trim());
    }
    const answer: ControlAnswer = {
      status: 200,
      body: JSON.stringify(this.status),
    };
    return Promise.resolve(answer);
  }

  async *events(signal: AbortSignal): AsyncIterable<string> {
    while (!signal.aborted) {
      yield await new Promise<string>((resolve, reject) => {
        this.#tell = resolve;
        signal.addEventListener("abort", () => reject(signal.reason), {
          once: true,
        });
      });
    }
  }

  happen(): void {
    this.#tell("{}");
  }
}

/** Nothing in it counts seconds: no request, no reset, no age. */
function calm(): StatusView {
  return poolStatus({
    accounts: [],
    sessions: [],
    requests: [],
    activity: [],
    nextReset: null,
    forecast: {
      tokensPerHour: 0,
      lastsUntil: null,
      lastsBetween: null,
      isGuess: false,
      usual: null,
    },
  });
}

interface Stage {
  readonly clock: ManualClock;
  readonly terminal: FakeTerminal;
  readonly server: FakeServer;
  readonly stop: AbortController;
  readonly ended: Promise<DeckEnd>;
  readonly ran: (readonly string[])[];
}

function stage(isServer = false): Stage {
  const clock = new ManualClock();
  const terminal = new FakeTerminal();
  const server = new FakeServer();
  const stop = new AbortController();
  const ran: (readonly string[])[] = [];
  const ended = runDeck({
    transport: server,
    person: MANUAL_SHELL,
    terminal,
    clock,
    look: { glyphs: UNICODE, timeZone: "UTC" },
    depth: "16",
    isServer,
    claudeFolder: null,
    runTc: (args) => {
      ran.push(args);
      strictEqual(terminal.isRead, false, "no key is read meanwhile");
      return Promise.resolve(0);
    },
    signal: stop.signal,
  });
  return { clock, terminal, server, stop, ended, ran };
}

async function leave({ terminal, ended, clock }: Stage): Promise<DeckEnd> {
  terminal.type("q");
  await clock.advance(200, 50);
  return await ended;
}

Deno.test("runDeck() writes no byte while nothing changes", async () => {
  const scene = stage();
  await scene.clock.advance(3_000, 100);
  const before = scene.terminal.written.length;
  ok(before > 0);
  await scene.clock.advance(60_000, 500);
  strictEqual(scene.terminal.written.length, before);
  strictEqual(await leave(scene), "detached");
  deepStrictEqual(scene.terminal.calls, ["enter", "close"]);
});

Deno.test("runDeck() draws ten frames a second at most", async () => {
  const scene = stage();
  await scene.clock.advance(2_000, 50);
  const before = scene.terminal.written.length;
  for (let step = 0; step < 100; step++) {
    scene.terminal.type(step === 0 ? "/" : "a");
    await scene.clock.advance(10, 10);
  }
  const frames = scene.terminal.written.length - before;
  ok(frames >= 5 && frames <= 11, `${frames} frames in a second`);
  scene.terminal.type("\u001b");
  await leave(scene);
});

Deno.test("runDeck() puts each frame between synchronized updates", async () => {
  const scene = stage();
  await scene.clock.advance(1_000, 50);
  for (const text of scene.terminal.written) {
    // deno-lint-ignore no-control-regex
    match(text, /^\u001b\[\?2026h[^]*\u001b\[\?2026l$/);
  }
  await leave(scene);
});

Deno.test("runDeck() shows a lost server and heals by itself", async () => {
  const scene = stage();
  const emulator = new Emulator(100, 30, "agreeing");
  async function screen(): Promise<string> {
    for (const text of scene.terminal.written.splice(0)) {
      await emulator.write(text);
    }
    return emulator.text().join("\n");
  }
  await scene.clock.advance(2_000, 100);
  match(await screen(), /● green/);
  scene.server.isLost = true;
  await scene.clock.advance(4_000, 100);
  match(
    await screen(),
    /^ ■ no server for \d+s .*◌ was green/,
  );
  scene.server.isLost = false;
  await scene.clock.advance(6_000, 100);
  ok(!(await screen()).includes("no server"));
  await leave(scene);
});

Deno.test("runDeck() looks at once when the server says something", async () => {
  const scene = stage();
  await scene.clock.advance(1_300, 50);
  const [entry] = poolStatus().activity;
  ok(entry !== undefined);
  scene.server.status = {
    ...calm(),
    at: time(scene.clock.now()),
    activity: [entry],
  };
  const before = scene.terminal.written.length;
  scene.server.happen();
  await scene.clock.advance(400, 50);
  ok(scene.terminal.written.length > before);
  await leave(scene);
});

Deno.test("runDeck() sends what keys ask for to the server", async () => {
  const scene = stage();
  await scene.clock.advance(1_000, 50);
  scene.terminal.type("R");
  await scene.clock.advance(300, 50);
  scene.terminal.type("pj");
  scene.terminal.type("\r");
  scene.terminal.type("y");
  await scene.clock.advance(300, 50);
  deepStrictEqual(scene.server.calls, [
    `POST ${CONTROL.reload} {}`,
    `PUT ${CONTROL.policy} {"policy":"pace"}`,
  ]);
  await leave(scene);
});

Deno.test("runDeck() hands the terminal over and takes it back", async () => {
  const scene = stage();
  await scene.clock.advance(1_000, 50);
  scene.terminal.type("al");
  await scene.clock.advance(200, 50);
  scene.terminal.type("y");
  await scene.clock.advance(200, 50);
  scene.terminal.type("\r");
  await scene.clock.advance(500, 50);
  deepStrictEqual(scene.ran, [["login"]]);
  deepStrictEqual(scene.terminal.calls, ["enter", "leave", "enter"]);
  ok(scene.server.calls.includes(`POST ${CONTROL.reload} {}`));
  strictEqual(await leave(scene), "detached");
});

Deno.test("runDeck() ends when the terminal hangs up", async () => {
  const scene = stage();
  await scene.clock.advance(1_000, 50);
  scene.terminal.isGone = true;
  scene.terminal.type("?");
  await scene.clock.advance(300, 50);
  strictEqual(await scene.ended, "lost");
});

Deno.test("runDeck() ends when it is told from outside", async () => {
  const scene = stage(true);
  await scene.clock.advance(1_000, 50);
  scene.stop.abort();
  strictEqual(await scene.ended, "aborted");
  strictEqual(scene.terminal.calls.at(-1), "close");
});

Deno.test("runDeck() draws anew after a resize", async () => {
  const scene = stage();
  await scene.clock.advance(1_000, 50);
  scene.terminal.resize(70, 20);
  await scene.clock.advance(200, 50);
  ok(scene.terminal.written.at(-1)?.includes("\u001b[2J"));
  await leave(scene);
});
