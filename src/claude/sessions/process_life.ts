/**
 * Which process an earlier note means, and whether that process is alive.
 *
 * @module
 */

import { hostname } from "node:os";
import process from "node:process";

/** A process, distinguishable from later ones with the same number. */
interface ProcessMark {
  readonly pid: number;
  /** Changes when the number goes to another process; null if unknown. */
  readonly mark: string | null;
  /** Numbers are unique within one domain: a container has its own. */
  readonly domain: string;
}

/** Returns the mark of this process. */
export function ownMark(): ProcessMark {
  return { pid: process.pid, mark: startOf(process.pid), domain: ownDomain() };
}

/** Returns whether the process is certainly gone. */
export function isGone({ pid, mark, domain }: ProcessMark): boolean {
  if (domain !== ownDomain()) return false;
  return !isAlive(pid) || mark !== null && startOf(pid) !== mark;
}

/**
 * Returns whether a process with this number exists, even if it belongs to
 * another user.
 */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/**
 * Returns when the process started, as the system writes it; null on other
 * systems.
 */
export function startOf(pid: number): string | null {
  try {
    const text = Deno.readTextFileSync(`/proc/${pid}/stat`);
    // The 22nd field, counted from after the name, which may hold any
    // character.
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
    return `host ${hostname()}`;
  }
}
