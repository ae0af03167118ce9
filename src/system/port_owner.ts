/**
 * Finds the program that listens on a port of this machine, as far as the
 * system tells. It asks programs of the system, because a compiled tc may not
 * read /proc.
 *
 * @module
 */

import type { CommandRunner } from "../ports.ts";

export interface PortOwner {
  /** Null if only root can see it. */
  readonly pid: number | null;
  /** The program's short name, or null. */
  readonly program: string | null;
  /** Name or number of the user, if it is another user. */
  readonly otherUser: string | null;
}

interface Onlooker {
  readonly runner: CommandRunner;
  readonly system: string;
  /** Our own user number; null on Windows. */
  readonly uid: number | null;
}

const LOOK_MS = 2_000;
/** `st` of /proc/net/tcp. */
const LISTENING = "0A";

/** Returns the listener on `port`, or null where the system does not tell. */
export async function portOwner(
  port: number,
  onlooker: Onlooker,
): Promise<PortOwner | null> {
  switch (onlooker.system) {
    case "linux":
      return await linuxOwner(port, onlooker);
    case "darwin":
      return await darwinOwner(port, onlooker);
    case "windows":
      return await windowsOwner(port, onlooker);
    default:
      return null;
  }
}

async function linuxOwner(
  port: number,
  onlooker: Onlooker,
): Promise<PortOwner | null> {
  const table = await outputOf(onlooker, "cat", [
    "/proc/net/tcp",
    "/proc/net/tcp6",
  ]);
  const found = listenerIn(table, port);
  if (found === null) return null;
  const otherUser = found.uid === onlooker.uid
    ? null
    : userNamed(await outputOf(onlooker, "cat", ["/etc/passwd"]), found.uid);
  const paths = await outputOf(onlooker, "find", [
    "/proc",
    "-maxdepth",
    "3",
    "-lname",
    `socket:\\[${found.inode}\\]`,
  ]);
  const pid = /^\/proc\/(\d+)\/fd\//m.exec(paths)?.[1];
  if (pid === undefined) return { pid: null, program: null, otherUser };
  const name = await outputOf(onlooker, "cat", [`/proc/${pid}/comm`]);
  return { pid: Number(pid), program: name.trim() || null, otherUser };
}

/** Returns owner and inode of the listener on `port` in /proc/net/tcp. */
export function listenerIn(
  table: string,
  port: number,
): { readonly uid: number; readonly inode: string } | null {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  for (const line of table.split("\n")) {
    const fields = line.trim().split(/\s+/);
    const [, local = "", , state, , , , uid = "", , inode = ""] = fields;
    if (state !== LISTENING || !local.endsWith(`:${hex}`)) continue;
    return { uid: Number(uid), inode };
  }
  return null;
}

function userNamed(passwd: string, uid: number): string {
  const line = passwd.split("\n").find((one) =>
    one.split(":")[2] === String(uid)
  );
  return line?.split(":")[0] ?? String(uid);
}

/**
 * Asks lsof: `lsof -F` prints one field per line (p is the pid, c the command,
 * u the user).
 */
async function darwinOwner(
  port: number,
  onlooker: Onlooker,
): Promise<PortOwner | null> {
  const fields = await outputOf(onlooker, "lsof", [
    "-nP",
    `-iTCP:${port}`,
    "-sTCP:LISTEN",
    "-Fpcu",
  ]);
  const pid = /^p(\d+)$/m.exec(fields)?.[1];
  if (pid === undefined) return null;
  const uid = /^u(\d+)$/m.exec(fields)?.[1];
  return {
    pid: Number(pid),
    program: /^c(.+)$/m.exec(fields)?.[1] ?? null,
    otherUser: uid === undefined || Number(uid) === onlooker.uid ? null : uid,
  };
}

async function windowsOwner(
  port: number,
  onlooker: Onlooker,
): Promise<PortOwner | null> {
  const table = await outputOf(onlooker, "netstat", ["-ano", "-p", "TCP"]);
  const pid = new RegExp(`:${port}\\s+\\S+:0\\s+\\S+\\s+(\\d+)`).exec(table)
    ?.[1];
  if (pid === undefined) return null;
  const row = await outputOf(onlooker, "tasklist", [
    "/FI",
    `PID eq ${pid}`,
    "/FO",
    "CSV",
    "/NH",
  ]);
  return {
    pid: Number(pid),
    program: /^"([^"]+)"/.exec(row.trim())?.[1] ?? null,
    otherUser: null,
  };
}

/**
 * Returns what the program printed; empty if it is missing or takes too long.
 */
async function outputOf(
  { runner }: Onlooker,
  program: string,
  args: readonly string[],
): Promise<string> {
  try {
    const outcome = await runner.run(program, args, {
      stdin: "",
      timeoutMs: LOOK_MS,
    });
    // `find` fails on what it may not read, but prints the rest.
    return outcome.kind === "exited" ? outcome.stdout : "";
  } catch {
    // There is no such program.
    return "";
  }
}
