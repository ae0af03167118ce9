/**
 * `deno task ui`: builds the page into `src/page/built.ts`, which the server
 * sends and the executable holds. `--check` fails if it is not current.
 */

import { reasonOf } from "../../src/errors.ts";

const ROOT = new URL("../../", import.meta.url);
const BUILT = new URL("src/page/built.ts", ROOT);

/** Returns the text of `src/page/built.ts` as it must be. */
export async function builtText(): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--platform", "browser", "--minify", "src/page/main.tsx"],
    cwd: ROOT,
    stdout: "piped",
    stderr: "piped",
  }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(decoder.decode(stderr));
  const style = await Deno.readTextFile(new URL("src/page/page.css", ROOT));
  const plain = style.replace(/\s*\n\s*/g, "\n").trim();
  return [
    "/**",
    " * The page's script and style, made by `deno task ui` from this folder.",
    " *",
    " * @module",
    " */",
    "",
    `export const PAGE_STYLE = ${JSON.stringify(plain)};`,
    `export const PAGE_SCRIPT = ${JSON.stringify(decoder.decode(stdout))};`,
    "",
  ].join("\n");
}

if (import.meta.main) {
  try {
    const text = await builtText();
    if (!Deno.args.includes("--check")) await Deno.writeTextFile(BUILT, text);
    else if (await Deno.readTextFile(BUILT) !== text) {
      throw new Error("src/page/built.ts is old: run deno task ui");
    }
  } catch (cause) {
    // deno-lint-ignore no-console
    console.error(reasonOf(cause));
    Deno.exit(1);
  }
}
