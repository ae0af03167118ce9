/**
 * What Linux tells of processes and limits, in the files of /proc.
 *
 * @module
 */

/**
 * Returns the text of a file of /proc. The runtime opens that folder only for a
 * program that has every permission, which the executable has not (Deno 2.7.11
 * and 2.9.6: NotCapable, whatever `--allow-read` says); `cat` reads it there.
 * Throws where neither can, as in a thread that starts no programs.
 */
export function kernelText(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotCapable)) throw cause;
  }
  const { success, stdout } = new Deno.Command("cat", {
    args: [path],
    // Without a language it reads nothing else.
    clearEnv: true,
    stdin: "null",
    stderr: "null",
  }).outputSync();
  if (!success) throw new Deno.errors.NotFound(path);
  return new TextDecoder().decode(stdout);
}
