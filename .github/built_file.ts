/** A source file that a task makes of others: written, or only looked at. */

import { reasonOf } from "../src/errors.ts";

/** What is made, and how. */
interface Built {
  readonly file: URL;
  /** The task that makes it. */
  readonly task: string;
  readonly text: () => Promise<string>;
}

/**
 * Writes the file; with `--check` among the arguments it only looks. Ends the
 * process with 1 if the file cannot be made or is not what it must be.
 */
export async function build({ file, task, text }: Built): Promise<void> {
  try {
    const wanted = await text();
    if (!Deno.args.includes("--check")) await Deno.writeTextFile(file, wanted);
    else if (await Deno.readTextFile(file) !== wanted) {
      throw new Error(`${file.pathname} is old: run deno task ${task}`);
    }
  } catch (cause) {
    // deno-lint-ignore no-console
    console.error(reasonOf(cause));
    Deno.exit(1);
  }
}
