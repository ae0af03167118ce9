/**
 * `deno task ui`: builds the page into `src/page/built.ts`, which the server
 * sends and the executable holds. `--check` fails if it is not current.
 */

import { build } from "../built_file.ts";

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
  await build({ file: BUILT, task: "ui", text: builtText });
}
