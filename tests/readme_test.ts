/** The README says what the code does: its picture and its table are made. */

import { ok, strictEqual } from "node:assert/strict";
import { COMMAND_TREE } from "../src/cli/help/command_tree.ts";
import { ROOT } from "./fixtures/paths.ts";

function read(path: string): string {
  return Deno.readTextFileSync(`${ROOT}${path}`);
}

Deno.test("the README shows both pictures of the Deck", () => {
  // tests/deck/golden_test.ts draws them.
  for (const mode of ["light", "dark"]) {
    ok(read("README.md").includes(`docs/deck-${mode}.svg`), mode);
  }
});

Deno.test("the README's table has every command with its own words", () => {
  const rows = read("README.md").split("\n")
    .flatMap((line) => /^\| `tc ([a-z]+)` +\| (.*?) *\|$/.exec(line) ?? [])
    .filter((_, index) => index % 3 !== 0);
  const said = new Map<string, string>();
  for (let index = 0; index < rows.length; index += 2) {
    said.set(rows[index] ?? "", rows[index + 1] ?? "");
  }
  const commands = COMMAND_TREE.commands.filter(({ name }) => name !== "help");
  for (const { name, summary } of commands) {
    strictEqual(said.get(name), summary, name);
  }
  strictEqual(said.size, commands.length);
});

Deno.test("every file that the docs link to is there", () => {
  for (const page of ["README.md", ".github/CONTRIBUTING.md"]) {
    const folder = page.includes("/") ? ".github/" : "";
    for (const [, target] of read(page).matchAll(/\]\(([^)#]+)\)/g)) {
      if (target === undefined || target.startsWith("http")) continue;
      ok(Deno.statSync(`${ROOT}${folder}${target}`).isFile, target);
    }
  }
});
