/** Notices of a real server: a program and a webhook hear of a lost login once. */

import "../fixtures/clean_environment.ts";
import { createHmac } from "node:crypto";
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { needs } from "../fixtures/skipped.ts";
import { TcPool } from "../fixtures/tc_process.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";

const SECRET = "secret-of-the-webhook-1234";
const CANARY = "canary-5527";

interface Posted {
  readonly body: string;
  readonly signature: string | null;
}

async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("it did not come");
}

Deno.test({
  name:
    "a login that is lost is told once to the program and the webhook, and a restart repeats nothing",
  ignore: needs("scripts"),
  fn: async () => {
    await using folder = new TempFolder();
    const posted: Posted[] = [];
    const receiver = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      async (request) => {
        const body = await request.text();
        posted.push({ body, signature: request.headers.get("x-tc-signature") });
        return new Response(null, { status: 204 });
      },
    );
    const command = folder.join("on notice");
    const heard = folder.join("heard");
    await Deno.writeTextFile(command, `#!/bin/sh\ncat >> '${heard}'\n`, {
      mode: 0o700,
    });
    await using api = await startScriptedApi();
    api.account("work");
    await using pool = await TcPool.of(api, {
      usage: { poll: false },
      hold: { jsonMaxMs: 500 },
      notify: {
        command,
        webhook: `http://127.0.0.1:${receiver.addr.port}/hook?token=t`,
        secret: SECRET,
      },
    });
    await pool.tc(["env", "--shell", "sh"]);
    const baseUrl = await pool.baseUrl();
    api.account("work").revoke();
    const refused = await fetch(`${baseUrl}/v1/messages`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        model: "claude-sonnet-5-5",
        max_tokens: 50,
        messages: [{ role: "user", content: `demo:say ${CANARY}` }],
      }),
    });
    ok(refused.status >= 400, `${refused.status}`);
    await refused.body?.cancel();
    await until(() => posted.some(({ body }) => body.includes("login_needed")));
    const logins = posted.filter(({ body }) => body.includes("login_needed"));
    const [first] = logins;
    const event = JSON.parse(first?.body ?? "{}");
    strictEqual(event.schema, "tc.notice/v1");
    strictEqual(event.account, "work");
    match(event.text, /^work needs sign-in/);
    match(event.mend, /^tc login/);
    const expected = createHmac("sha256", SECRET).update(first?.body ?? "")
      .digest("hex");
    strictEqual(first?.signature, `sha256=${expected}`);
    // The program is told beside the webhook, and may still be writing.
    let text = "";
    await until(async () => {
      text = await Deno.readTextFile(heard).catch(() => "");
      return text.includes("login_needed") && text.endsWith("\n");
    });
    const lines = text.trim().split("\n").map((line) => JSON.parse(line));
    deepStrictEqual(
      lines.filter(({ kind }) => kind === "login_needed"),
      [event],
    );
    strictEqual((await pool.tc(["restart"])).code, 0);
    await new Promise((resolve) => setTimeout(resolve, 18_000));
    const all = posted.map(({ body }) => body).join("\n");
    strictEqual(all.split("login_needed").length - 1, 1, all);
    ok(!all.includes(CANARY));
    ok(!(await pool.log()).includes("token=t"), "no URL of the webhook");
    const shown = await pool.tc(["config", "show", "--all"]);
    ok(!shown.stdout.includes("token=t") && !shown.stdout.includes(SECRET));
    await receiver.shutdown();
  },
});
