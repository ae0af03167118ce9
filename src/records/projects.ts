/**
 * Remembers in which repository each session works. A launch by `tc run` says
 * it in a header that names a note of the launch, because Claude Code sends its
 * headers to its maker as well; other clients may name the project itself. For
 * the other sessions of Claude Code the main thread looks into its files.
 *
 * @module
 */

import { join } from "node:path";
import { inert } from "../core/plain_text.ts";
import type { Projects } from "../ports.ts";

/** The most sessions and notes that are remembered; the oldest go first. */
const KNOWN_MAX = 5_000;

/** Longer names are cut. */
const NAME_LENGTH_MAX = 512;

/** How long the answer about a session that was not found holds. */
const AGAIN_MS = 30_000;

/** A note of a launch, as `x-tc-project` names it. */
const NOTE = /^@([0-9a-f-]{36})$/;

interface Known {
  readonly project: string | null;
  readonly atMs: number;
}

export class ProjectBook implements Projects {
  readonly #notes: string;
  readonly #look: (session: string) => Promise<string | null>;
  readonly #nowMs: () => number;
  readonly #sessions = new Map<string, Known>();
  readonly #launches = new Map<string, string>();
  readonly #lookups = new Map<string, Promise<string | null>>();

  /** `look` finds the project of a session in the client's files. */
  constructor({ stateFolder, look, nowMs }: {
    readonly stateFolder: string;
    readonly look: (session: string) => Promise<string | null>;
    /** The monotonic clock. */
    readonly nowMs: () => number;
  }) {
    this.#notes = launchFolder(stateFolder);
    this.#look = look;
    this.#nowMs = nowMs;
  }

  of(named: string | null, session: string | null): string | null {
    const project = named === null ? null : this.#named(named);
    if (session === null) return project;
    if (project !== null) this.note(session, project);
    return project ?? this.#sessions.get(session)?.project ?? null;
  }

  /** Notes what a hook or a launch says. */
  note(session: string, project: string): void {
    const name = inert(project).slice(0, NAME_LENGTH_MAX);
    keep(this.#sessions, session, { project: name, atMs: this.#nowMs() });
  }

  find(session: string): Promise<string | null> {
    const known = this.#sessions.get(session);
    const isFresh = known !== undefined &&
      (known.project !== null || this.#nowMs() - known.atMs < AGAIN_MS);
    if (isFresh) return Promise.resolve(known.project);
    const pending = this.#lookups.get(session);
    if (pending !== undefined) return pending;
    const looking = this.#ask(session);
    this.#lookups.set(session, looking);
    return looking;
  }

  async #ask(session: string): Promise<string | null> {
    try {
      const found = await this.#look(session);
      if (found !== null) this.note(session, found);
      else this.#noteMissing(session);
    } catch {
      // The main thread is too busy; a later request asks again.
    } finally {
      this.#lookups.delete(session);
    }
    return this.#sessions.get(session)?.project ?? null;
  }

  /**
   * Notes that the client's files do not know the session, each time anew: else
   * every request of such a session would have them searched from then on.
   */
  #noteMissing(session: string): void {
    // A launch or a hook may have named it meanwhile.
    const project = this.#sessions.get(session)?.project ?? null;
    keep(this.#sessions, session, { project, atMs: this.#nowMs() });
  }

  #named(text: string): string | null {
    const [, id] = NOTE.exec(text) ?? [];
    if (id === undefined) return decoded(text);
    const known = this.#launches.get(id);
    if (known !== undefined) return known;
    try {
      const project = Deno.readTextFileSync(join(this.#notes, `${id}.project`));
      keep(this.#launches, id, project);
      return project;
    } catch {
      // The launch has ended, or it is of another pool.
      return null;
    }
  }
}

/** Returns the folder of what `tc run` leaves for one launch. */
export function launchFolder(stateFolder: string): string {
  return join(stateFolder, "launches");
}

/** Header values are ASCII, so other characters come percent-encoded. */
function decoded(text: string): string | null {
  try {
    const name = decodeURIComponent(text).trim();
    return name === "" ? null : inert(name).slice(0, NAME_LENGTH_MAX);
  } catch {
    return text;
  }
}

function keep<Value>(
  map: Map<string, Value>,
  key: string,
  value: Value,
): void {
  map.delete(key);
  map.set(key, value);
  const oldest = map.keys().next();
  if (map.size > KNOWN_MAX && oldest.done !== true) map.delete(oldest.value);
}
