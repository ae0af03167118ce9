/** The built page is that of its sources, and small. */

import "../fixtures/clean_environment.ts";
import { ok, strictEqual } from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { builtText } from "../../.github/page/build.ts";
import { pageFile } from "../../src/page/files.ts";
import { ROOT } from "../fixtures/paths.ts";

const GZIP_BYTES_MAX = 120_000;

Deno.test("src/page/built.ts is what deno task ui makes", async () => {
  const built = await Deno.readTextFile(`${ROOT}src/page/built.ts`);
  strictEqual(built, await builtText(), "run deno task ui");
});

Deno.test("the page weighs little, and asks for no other origin", () => {
  let bytes = 0;
  for (const name of ["page.html", "page.js", "page.css"]) {
    const text = pageFile(name)?.text ?? "";
    ok(text.length > 100, name);
    bytes += gzipSync(text).length;
  }
  ok(bytes <= GZIP_BYTES_MAX, `${bytes} bytes`);
  strictEqual(pageFile("../key"), null);
});
