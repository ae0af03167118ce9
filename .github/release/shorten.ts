/**
 * Takes spaces and long names out of bundled pieces, because every start reads
 * them.
 *
 * The statements stay as they are. `deno bundle --minify` (esbuild 0.25.5, Deno
 * 2.8.3) also rewrites those, and drops a `using` whose name is used once: the
 * executable then kept its locks and files open for ever.
 */

import { transform } from "esbuild";
import { join } from "node:path";

const USING = /\busing [\w$]+ ?=/g;

/** Shortens every script in `folder` and below it. Throws if one loses a `using`. */
export async function shortenScripts(folder: string): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (isDirectory) await shortenScripts(path);
    else if (name.endsWith(".js")) await shorten(path);
  }
}

async function shorten(path: string): Promise<void> {
  const text = await Deno.readTextFile(path);
  const { code } = await transform(text, {
    charset: "utf8",
    format: "esm",
    minifyIdentifiers: true,
    minifyWhitespace: true,
    target: "esnext",
  });
  const [before, after] = [text, code].map((one) =>
    one.match(USING)?.length ?? 0
  );
  if (before !== after) {
    throw new Error(`${path}: ${before} using became ${after}`);
  }
  await Deno.writeTextFile(path, code);
}
