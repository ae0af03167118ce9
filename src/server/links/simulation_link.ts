/**
 * A replay of the history as a job: a process of its own, `tc simulate`, which
 * the main thread starts and ends. Neither the thread that serves requests nor
 * the one that draws reports computes it.
 *
 * @module
 */

import type {
  SimulatedView,
  SimulationQuestion,
  SimulationView,
} from "../../control/history/simulation_view.ts";
import { timeView } from "../../control/status_view.ts";
import { inert } from "../../core/plain_text.ts";
import { reasonOf } from "../../errors.ts";
import { systemClock } from "../../system/clock.ts";
import { ownCommand } from "../../system/own_command.ts";
import { PendingCalls } from "./pending_calls.ts";

export type SimulationCall =
  | { readonly kind: "start"; readonly question: SimulationQuestion }
  | { readonly kind: "look" }
  | { readonly kind: "stop" };

/** A replay that takes longer is ended. */
const JOB_MS_MAX = 15 * 60_000;

/** The most of its output that is kept. */
const OUTPUT_MAX = 8 * 1024 * 1024;

/** The line of `tc simulate` that says how far it is. */
const PROGRESS = /^(\d+) of (\d+) played/;

const NONE: SimulationView = {
  schema: "tc.simulation/v1",
  state: "none",
  question: null,
  startedAt: null,
  progress: null,
  message: null,
  result: null,
};

const BUSY: SimulationView = {
  ...NONE,
  state: "failed",
  message: "The server is too busy to answer",
};

/** The side of the main thread: at most one replay at a time. */
export class SimulationDesk {
  #view = NONE;
  #child: Deno.ChildProcess | null = null;

  answer(call: SimulationCall): SimulationView {
    if (call.kind === "start") this.#start(call.question);
    if (call.kind === "stop") this.stop();
    return this.#view;
  }

  /** Ends the replay, if one runs. */
  stop(): void {
    if (this.#child === null) return;
    this.#view = { ...this.#view, state: "stopped" };
    end(this.#child);
    this.#child = null;
  }

  /** Starts a replay in place of one that runs. */
  #start(question: SimulationQuestion): void {
    this.stop();
    const startedAt = timeView(systemClock.now());
    this.#view = { ...NONE, state: "running", question, startedAt };
    try {
      const [program = "", ...args] = ownCommand(argumentsOf(question));
      const child = new Deno.Command(program, {
        args,
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      this.#child = child;
      this.#follow(child).catch((cause) => this.#fail(child, reasonOf(cause)));
    } catch (cause) {
      this.#view = {
        ...this.#view,
        state: "failed",
        message: reasonOf(cause),
      };
    }
  }

  async #follow(child: Deno.ChildProcess): Promise<void> {
    const timer = setTimeout(() => end(child), JOB_MS_MAX);
    try {
      const [output, said, { success }] = await Promise.all([
        textOf(child.stdout, () => {}),
        textOf(child.stderr, (line) => this.#note(child, line)),
        child.status,
      ]);
      if (!success) return this.#fail(child, inert(said.trim(), " "));
      const parsed = JSON.parse(output);
      if (this.#child !== child) return;
      this.#child = null;
      const result: SimulatedView = { history: parsed.history ?? null };
      this.#view = { ...this.#view, state: "done", result };
    } finally {
      clearTimeout(timer);
    }
  }

  #note(child: Deno.ChildProcess, line: string): void {
    const [, done, of] = PROGRESS.exec(line) ?? [];
    if (done === undefined || this.#child !== child) return;
    const progress = { done: Number(done), of: Number(of) };
    this.#view = { ...this.#view, progress };
  }

  #fail(child: Deno.ChildProcess, message: string): void {
    if (this.#child !== child) return;
    this.#child = null;
    this.#view = { ...this.#view, state: "failed", message };
  }
}

function end(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

function argumentsOf(
  { days, policies, accounts, ttl }: SimulationQuestion,
): readonly string[] {
  return [
    "simulate",
    "--json",
    `--days=${days}`,
    ...(policies.length === 0 ? [] : [`--policy=${policies.join(",")}`]),
    ...(accounts.length === 0 ? [] : [`--accounts=${accounts.join(",")}`]),
    ...(ttl === null ? [] : [`--ttl=${ttl}`]),
    "--own",
  ];
}

/** Reads a stream to its end, and calls `onLine` with each line. */
async function textOf(
  stream: ReadableStream<Uint8Array>,
  onLine: (line: string) => void,
): Promise<string> {
  let text = "";
  let line = "";
  const decoder = new TextDecoder();
  for await (const bytes of stream) {
    const part = decoder.decode(bytes, { stream: true });
    if (text.length < OUTPUT_MAX) text += part;
    const lines = (line + part).split("\n");
    line = lines.pop() ?? "";
    lines.forEach(onLine);
  }
  return text;
}

/** The worker stops waiting for an answer after this time. */
const ANSWER_MS_MAX = 10_000;

/** The side of the worker: it asks by `post` and gets its answers by `take`. */
export class SimulationAsker {
  readonly #post: (id: number, call: SimulationCall) => void;
  readonly #calls = new PendingCalls<SimulationView>(ANSWER_MS_MAX, BUSY);

  constructor(post: (id: number, call: SimulationCall) => void) {
    this.#post = post;
  }

  /** Starts, looks at or stops the replay. Returns how it stands. */
  async ask(call: SimulationCall): Promise<SimulationView> {
    return await this.#calls.ask((id) => this.#post(id, call));
  }

  take(id: number, view: SimulationView): void {
    this.#calls.take(id, view);
  }
}
