/** A demo leaves nothing behind, however it ends. */

import "../fixtures/clean_environment.ts";
import {
  deepStrictEqual,
  doesNotMatch,
  match,
  strictEqual,
} from "node:assert/strict";
import { TempFolder } from "../fixtures/temp_folder.ts";
import { cleanVariables, tcCommand } from "../fixtures/tc_process.ts";
import { hasTmux, Tmux } from "../fixtures/tmux.ts";
import { needs } from "../fixtures/skipped.ts";

const WAIT_MS = 60_000;

/** A demo without a screen. */
class DemoRun {
  readonly #child: Deno.ChildProcess;
  readonly #read: Promise<void>;
  #words = "";

  constructor(folder: TempFolder) {
    const [program, ...first] = tcCommand();
    this.#child = new Deno.Command(program, {
      args: [...first, "demo", "--port", "0"],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
      clearEnv: true,
      env: {
        ...cleanVariables(folder.path),
        TMPDIR: folder.join("tmp"),
        TEMP: folder.join("tmp"),
        TMP: folder.join("tmp"),
      },
    }).spawn();
    this.#read = this.#keepReading();
  }

  /** Resolves when it says that it runs. */
  async running(): Promise<void> {
    await until("a demo", () => /Claude Code on it/.test(this.#words));
  }

  async end(signal: Deno.Signal): Promise<void> {
    this.#child.kill(signal);
    await Promise.all([this.#child.status, this.#read]);
  }

  async #keepReading(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.#child.stderr) {
      this.#words += decoder.decode(chunk, { stream: true });
    }
  }
}

async function left(folder: TempFolder): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(folder.join("tmp"))) {
    if (name.startsWith("tc-demo-")) names.push(name);
  }
  return names;
}

async function until(
  what: string,
  isSo: () => Promise<boolean> | boolean,
): Promise<void> {
  const deadline = performance.now() + WAIT_MS;
  while (!await isSo()) {
    if (performance.now() > deadline) throw new Error(`never: ${what}`);
    await new Promise((wake) => setTimeout(wake, 20));
  }
}

Deno.test({
  name: "a demo that is hung up or terminated, early or late, leaves no folder",
  ignore: needs("signals"),
  fn: async () => {
    await using folder = new TempFolder();
    await Deno.mkdir(folder.join("tmp"));
    for (const signal of ["SIGHUP", "SIGTERM", "SIGINT"] as const) {
      for (const isEarly of [true, false]) {
        const run = new DemoRun(folder);
        if (isEarly) {
          await until("a folder", async () => (await left(folder)).length > 0);
        } else await run.running();
        await run.end(signal);
        deepStrictEqual(await left(folder), [], `${signal}, early: ${isEarly}`);
      }
    }
  },
});

Deno.test({
  name: "what a demo that was killed outright has left goes with the next one",
  fn: async () => {
    await using folder = new TempFolder();
    await Deno.mkdir(folder.join("tmp"));
    const living = new DemoRun(folder);
    await living.running();
    const killed = new DemoRun(folder);
    await killed.running();
    await killed.end("SIGKILL");
    strictEqual((await left(folder)).length, 2);
    const anHourAgo = new Date(Date.now() - 3_600_000);
    for (const name of await left(folder)) {
      const lock = folder.join("tmp", name, "alive.lock");
      await Deno.utime(lock, anHourAgo, anHourAgo);
    }
    const next = new DemoRun(folder);
    await next.running();
    // The one that lives keeps its own.
    strictEqual((await left(folder)).length, 2);
    await Promise.all([next.end("SIGTERM"), living.end("SIGTERM")]);
    // A signal is an end at once there, and leaves what a later demo removes.
    if (Deno.build.os === "windows") return;
    deepStrictEqual(await left(folder), []);
  },
});

Deno.test({
  name: "a demo whose terminal is closed leaves no folder",
  ignore: needs("terminals") || !hasTmux(),
  fn: async () => {
    await using folder = new TempFolder();
    await Deno.mkdir(folder.join("tmp"));
    {
      await using tmux = await Tmux.open({
        columns: 100,
        rows: 30,
        variables: {
          ...cleanVariables(folder.path),
          TMPDIR: folder.join("tmp"),
        },
      });
      const words = [...tcCommand(), "demo"].map((word) => `'${word}'`);
      await tmux.type(words.join(" "));
      await tmux.until("Deck", (screen) => /── accounts/.test(screen));
      strictEqual((await left(folder)).length, 1);
    }
    await until("no folder", async () => (await left(folder)).length === 0);
  },
});

Deno.test({
  name: "a demo that is left by q ends with 0, without a word of an error",
  ignore: needs("terminals") || !hasTmux(),
  fn: async () => {
    await using folder = new TempFolder();
    await Deno.mkdir(folder.join("tmp"));
    await using tmux = await Tmux.open({
      columns: 100,
      rows: 30,
      variables: {
        ...cleanVariables(folder.path),
        TMPDIR: folder.join("tmp"),
      },
    });
    const words = [...tcCommand(), "demo"].map((word) => `'${word}'`).join(" ");
    const rounds = Deno.env.get("TC_LONG") === "1" ? 20 : 10;
    for (let round = 1; round <= rounds; round++) {
      await tmux.type(`clear; ${words}; echo "ended with $?."`);
      await tmux.until("Deck", (screen) => /── accounts/.test(screen));
      // The sessions are in the middle of their answers at other moments.
      await new Promise((wake) => setTimeout(wake, 500 * (round % 4)));
      await tmux.press("q");
      let screen = await tmux.until(
        "end",
        (text) => /ended with \d+\.|y stop/.test(text),
      );
      // It asks while a request is in hand.
      if (!/ended with/.test(screen)) {
        await tmux.press("y");
        screen = await tmux.until(
          "end",
          (text) => /ended with \d+\./.test(text),
        );
      }
      match(screen, /ended with 0\./);
      doesNotMatch(screen, /uncaught|error/i);
      deepStrictEqual(await left(folder), [], `round ${round}`);
    }
  },
});
