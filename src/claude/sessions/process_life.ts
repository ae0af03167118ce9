/**
 * Which process an earlier note means, and whether that process is alive.
 *
 * @module
 */

import { hostname } from "node:os";
import process from "node:process";
import { kernelText } from "../../kernel_text.ts";

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
 * Returns whether the process has ended. One that nobody has waited for yet still
 * has its number (Linux tells).
 */
export function hasEnded(pid: number): boolean {
  return !isAlive(pid) || fieldsOf(pid)?.[0] === "Z";
}

/**
 * Returns when the process started, as the system writes it; null on other
 * systems.
 */
export function startOf(pid: number): string | null {
  // The 22nd field.
  return fieldsOf(pid)?.[19] ?? null;
}

/** Returns what the system tells of the process after its name; null if not. */
function fieldsOf(pid: number): readonly string[] | null {
  try {
    const text = kernelText(`/proc/${pid}/stat`);
    // The name may hold any character.
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return null;
  }
}

function ownDomain(): string {
  try {
    const boot = kernelText("/proc/sys/kernel/random/boot_id");
    return `${boot.trim()} ${Deno.readLinkSync("/proc/self/ns/pid")}`;
  } catch {
    // Another system, or one that does not tell.
    return `host ${hostname()}`;
  }
}
