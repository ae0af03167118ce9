/**
 * Projects of sessions, asked by the worker and looked for by the main thread:
 * the worker may not read the client's folder.
 *
 * @module
 */

import { PendingCalls } from "./pending_calls.ts";

/** Finds the repository of a session in the client's files; null if unknown. */
export type ProjectFinder = (session: string) => Promise<string | null>;

/** The worker stops waiting for an answer after this time. */
const ANSWER_MS_MAX = 10_000;

/** A session's id, which becomes part of a path. */
const SESSION = /^[\w-]{1,128}$/;

/** Looks in the main thread. Never rejects. */
export async function answerProject(
  session: string,
  find: ProjectFinder,
): Promise<string | null> {
  if (!SESSION.test(session)) return null;
  try {
    return await find(session);
  } catch {
    // A file of another program that cannot be read names no project.
    return null;
  }
}

/** The side of the worker: it asks by `post` and gets its answers by `take`. */
export class ProjectAsker {
  readonly #post: (id: number, session: string) => void;
  readonly #calls = new PendingCalls<string | null>(ANSWER_MS_MAX, null);

  constructor(post: (id: number, session: string) => void) {
    this.#post = post;
  }

  /** Returns the project of the session, or null. */
  async find(session: string): Promise<string | null> {
    return await this.#calls.ask((id) => this.#post(id, session));
  }

  take(id: number, project: string | null): void {
    this.#calls.take(id, project);
  }
}
