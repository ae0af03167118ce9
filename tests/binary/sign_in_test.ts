/** A whole sign-in by a browser, from source and in the executable. */

import "../fixtures/clean_environment.ts";
import { match, strictEqual } from "node:assert/strict";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { TcPool } from "../fixtures/tc_process.ts";
import { needs } from "../fixtures/skipped.ts";

const TRIES = 6;

/** A browser: it follows the provider back to tc and shows the last page. */
const BROWSER = `#!/bin/sh
exec curl --silent --show-error --location --max-time 20 "$1" >"$PAGE" 2>&1
`;

Deno.test({
  name: `tc login: the browser gets the last page, ${TRIES} of ${TRIES} times`,
  ignore: needs("scripts"),
  fn: async () => {
    await using api = await startScriptedApi();
    await using pool = await TcPool.of(api);
    api.account("ada", { tier: "max_20x", email: "ada@demo.example" });
    api.set({ signsInAtOnce: true });
    const script = pool.folder.join("browser.sh");
    await Deno.writeTextFile(script, BROWSER, { mode: 0o755 });
    for (let number = 0; number < TRIES; number++) {
      const page = pool.folder.join(`page-${number}.html`);
      const end = await pool.tc(["login", "--json"], {
        BROWSER: script,
        PAGE: page,
      });
      strictEqual(end.code, 0, end.stderr);
      match(
        JSON.parse(end.stdout).result,
        number === 0 ? /added/ : /updated/,
      );
      for (let looks = 0; looks < 100; looks++) {
        const text = await Deno.readTextFile(page).catch(() => "");
        if (text.includes("</html>")) break;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      match(await Deno.readTextFile(page), /tc has your answer/);
    }
  },
});

Deno.test("tc login without a browser: the address that it prints signs in, on every system", async () => {
  await using api = await startScriptedApi();
  await using pool = await TcPool.of(api);
  api.account("ada", { tier: "max_20x", email: "ada@demo.example" });
  api.set({ signsInAtOnce: true });
  const child = pool.command(["login", "--json"], {
    stderr: "piped",
    env: { BROWSER: pool.folder.join("no-browser") },
  }).spawn();
  const stdout = new Response(child.stdout).text();
  const decoder = new TextDecoder();
  let said = "";
  let page: Promise<string> | null = null;
  for await (const chunk of child.stderr) {
    said += decoder.decode(chunk, { stream: true });
    const url = /https?:\/\/127\.0\.0\.1:\d+\/\S+(?=\s)/.exec(said)?.[0];
    if (url === undefined || page !== null) continue;
    page = fetch(url).then((answer) => answer.text());
  }
  strictEqual((await child.status).code, 0, said);
  match(JSON.parse(await stdout).result, /added/);
  match(await page ?? "", /tc has your answer/);
});
