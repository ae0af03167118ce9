/**
 * Which process a note of an earlier time means, and whether it lives.
 *
 * @module
 */

import { hostname } from "node:os";
import process from "node:process";

/** A process, told from later ones with its number. */
export interface ProcessMark {
  readonly pid: number;
  /** Changes when the number is given to another process; null where unknown. */
  readonly mark: string | null;
  /** Numbers count within one domain: a container has its own. */
  readonly domain: string;
}

/** Returns the mark of this process. */
export function ownMark(): ProcessMark {
  return { pid: process.pid, mark: startOf(process.pid), domain: ownDomain() };
}

/** Returns whether the process is gone for sure. */
export function isGone({ pid, mark, domain }: ProcessMark): boolean {
  if (domain !== ownDomain()) return false;
  return !isAlive(pid) || mark !== null && startOf(pid) !== mark;
}

/** Returns whether there is a process with this number; another user's is one. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/** Returns when the process started, as the system writes it; null elsewhere. */
export function startOf(pid: number): string | null {
  if (Deno.build.os !== "linux") return null;
  try {
    const text = Deno.readTextFileSync(`/proc/${pid}/stat`);
    // The 22nd field, counted behind the name, which may hold anything.
    return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? null;
  } catch {
    return null;
  }
}

function ownDomain(): string {
  try {
    const boot = Deno.readTextFileSync("/proc/sys/kernel/random/boot_id");
    return `${boot.trim()} ${Deno.readLinkSync("/proc/self/ns/pid")}`;
  } catch {
    // Another system, or one that does not tell.
    return `${Deno.build.os} ${hostname()}`;
  }
}
