/**
 * The sessions that were launched in profiles: how many each account has now.
 *
 * @module
 */

import * as v from "valibot";
import { type AccountId, accountId } from "../core/account.ts";
import { type Instant, instantFromMs } from "../core/time.ts";
import type { Clock, Locks } from "../ports.ts";
import { PrivateJson } from "../store/files/private_json.ts";

interface ProfileSession {
  readonly account: AccountId;
  readonly pid: number;
  /**
   * Distinguishes a process from a later one with its number; null if unknown.
   */
  readonly processMark: string | null;
  readonly cwd: string;
  readonly startedAt: Instant;
  readonly endedAt: Instant | null;
  readonly exitCode: number | null;
}

/** The system's processes. */
export interface Processes {
  isAlive(pid: number): boolean;
  /** Returns a mark that changes when another process gets the number. */
  mark(pid: number): string | null;
}

const KEPT_MAX = 500;

const instant = v.pipe(
  v.number(),
  v.finite(),
  v.transform((ms) => instantFromMs(ms)),
);

const row = v.object({
  account: v.string(),
  pid: v.number(),
  processMark: v.nullable(v.string()),
  cwd: v.string(),
  startedAt: instant,
  endedAt: v.nullable(instant),
  exitCode: v.nullable(v.number()),
});

interface BookPorts {
  readonly file: string;
  readonly locks: Locks;
  readonly clock: Clock;
  readonly processes: Processes;
}

export class SessionBook {
  readonly #ports: BookPorts;
  readonly #file: PrivateJson<readonly ProfileSession[]>;

  constructor(ports: BookPorts) {
    this.#ports = ports;
    this.#file = new PrivateJson({
      file: ports.file,
      locks: ports.locks,
      lock: "profile.sessions",
      empty: [],
      read: readRows,
    });
  }

  /** Returns sessions whose process lives; closes others that never ended. */
  async open(): Promise<readonly ProfileSession[]> {
    const { processes, clock } = this.#ports;
    const isLive = ({ pid, processMark }: ProfileSession) =>
      processes.isAlive(pid) &&
      (processMark === null || processes.mark(pid) === processMark);
    const all = await this.#file.load();
    const isAllTrue = all.every((session) =>
      session.endedAt !== null || isLive(session)
    );
    if (isAllTrue) return all.filter(({ endedAt }) => endedAt === null);
    const after = await this.#file.update((sessions) =>
      sessions.map((session) =>
        session.endedAt !== null || isLive(session)
          ? session
          : { ...session, endedAt: clock.now() }
      )
    );
    return after.filter(({ endedAt }) => endedAt === null);
  }

  /** Notes that `pid` begins a session. */
  async began(account: AccountId, pid: number, cwd: string): Promise<void> {
    const { clock, processes } = this.#ports;
    const session: ProfileSession = {
      account,
      pid,
      processMark: processes.mark(pid),
      cwd,
      startedAt: clock.now(),
      endedAt: null,
      exitCode: null,
    };
    await this.#file.update((all) => [...all, session].slice(-KEPT_MAX));
  }

  /** Notes that the session of `pid` has ended. */
  async ended(pid: number, exitCode: number): Promise<void> {
    const endedAt = this.#ports.clock.now();
    await this.#file.update((all) =>
      all.map((session) =>
        session.pid === pid && session.endedAt === null
          ? { ...session, endedAt, exitCode }
          : session
      )
    );
  }
}

function readRows(json: unknown): readonly ProfileSession[] | null {
  const result = v.safeParse(v.array(row), json);
  if (!result.success) return null;
  return result.output.flatMap((session) => {
    const account = accountId(session.account);
    return account === null ? [] : [{ ...session, account }];
  });
}
