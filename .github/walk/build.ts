/**
 * `deno task walk`: turns `src/wire/request/simd_walk.wat` into the module that
 * holds its code. `--check` fails if that is not current.
 */

import wabt from "wabt";
import { build } from "../built_file.ts";

const FOLDER = new URL("../../src/wire/request/", import.meta.url);
const TEXT = new URL("simd_walk.wat", FOLDER);
const BUILT = new URL("simd_walk_built.ts", FOLDER);

/** Returns the text of `simd_walk_built.ts` as it must be. */
export async function builtText(): Promise<string> {
  const tools = await wabt();
  const text = await Deno.readTextFile(TEXT);
  const module = tools.parseWat("simd_walk.wat", text, { simd: true });
  module.validate();
  const code = module.toBinary({}).buffer.toBase64();
  return [
    "/**",
    " * The code of `simd_walk.wat`, made by `deno task walk`.",
    " *",
    " * @module",
    " */",
    "",
    "export const SIMD_WALK =",
    `  "${code}";`,
    "",
  ].join("\n");
}

if (import.meta.main) {
  await build({ file: BUILT, task: "walk", text: builtText });
}
