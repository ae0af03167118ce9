/**
 * Whether this process is in the foreground of its terminal. A job that the
 * shell runs in the background (`tc server &`) is stopped by the system as soon
 * as it touches the terminal's modes.
 *
 * @module
 */

/** Returns false only where the system says that another job has the terminal. */
export function isInForeground(
  os: typeof Deno.build.os = Deno.build.os,
  read: () => string = () => Deno.readTextFileSync("/proc/self/stat"),
): boolean {
  if (os !== "linux") return true;
  try {
    return foregroundOf(read());
  } catch {
    // Without /proc nothing is known.
    return true;
  }
}

/** Fields 5 and 8 of /proc/self/stat: own process group, and the terminal's. */
function foregroundOf(stat: string): boolean {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const group = fields[2];
  const terminals = fields[5];
  return terminals === undefined || terminals === "-1" || terminals === group;
}
