/** The status line that was there before, run beside tc's own. */

import { ok, strictEqual } from "node:assert/strict";
import { beside } from "../../src/cli/statusline/statusline_run.ts";
import { PoolFolder } from "../fixtures/pool_server.ts";
import { runWrapped } from "../../src/cli/statusline/statusline_wrapped.ts";
import { needs } from "../fixtures/skipped.ts";

Deno.test({
  name:
    "runWrapped() does not wait for processes that the old command left running",
  ignore: needs("scripts"),
  async fn() {
    for (const rest of ["sleep 20; true", "sleep 20 & true"]) {
      const startMs = performance.now();
      const command = `echo mine; ${rest}`;
      const line = await runWrapped({ type: "command", command }, "", {
        timeoutMs: 500,
        system: Deno.build.os,
        shell: (line) => ["sh", "-c", line],
      });
      ok(performance.now() - startMs < 10_000, rest);
      strictEqual(line, "mine");
    }
  },
});

Deno.test({
  name: "runWrapped() keeps every line, uncut and in its colours",
  ignore: needs("scripts"),
  async fn() {
    const long = "x".repeat(5_000);
    const text = `\u001b[31mred\u001b[0m\n${long}\nthird`;
    const command = `printf '%b\\n' '\\033[31mred\\033[0m' '${long}' third`;
    const setting = { type: "command", command };
    strictEqual(
      await runWrapped(setting, "", {
        timeoutMs: 60_000,
        system: Deno.build.os,
        shell: (line) => ["sh", "-c", line],
      }),
      text,
    );
  },
});

Deno.test("beside() puts tc's line after one line, and below several", () => {
  strictEqual(beside("one", "own"), "one │ own");
  strictEqual(beside("one\ntwo", "own"), "one\ntwo\nown");
  strictEqual(beside("\u001b[1mone", "own"), "\u001b[1mone\u001b[0m │ own");
  strictEqual(beside("", "own"), "own");
  strictEqual(beside("one", ""), "one");
});

/** Whether process `pid` runs; one that nobody has waited for does not. */
function runs(pid: number): boolean {
  try {
    Deno.kill(pid, "SIGCONT");
  } catch {
    return false;
  }
  try {
    return !/\) Z /.test(Deno.readTextFileSync(`/proc/${pid}/stat`));
  } catch {
    return Deno.build.os !== "linux";
  }
}

Deno.test({
  name:
    "runWrapped() waits for a slow line, and ends it when the client ends tc",
  ignore: needs("scripts"),
  async fn() {
    await using pool = new PoolFolder();
    const folder = pool.folder.join(".claude");
    await Deno.mkdir(folder);
    const pid = pool.folder.join("pid");
    const put = (command: string) =>
      Deno.writeTextFile(
        `${folder}/settings.json`,
        JSON.stringify({ statusLine: { type: "command", command } }),
      );
    async function line(): Promise<Deno.ChildProcess> {
      await pool.run(["statusline", "install"]).output();
      const child = pool.spawn(["statusline", "--wrap"], { stdin: "piped" });
      const writer = child.stdin.getWriter();
      await writer.write(new TextEncoder().encode('{"model":"m"}'));
      await writer.close();
      return child;
    }
    // Longer than tc once waited.
    await put("sleep 2.5; echo slow");
    const slow = await (await line()).output();
    strictEqual(new TextDecoder().decode(slow.stdout), "slow │ m\n");
    await pool.run(["statusline", "uninstall"]).output();
    await put(`echo $$ >'${pid}'; exec sleep 60`);
    const child = await line();
    for (let looks = 0; looks < 200; looks++) {
      if ((await Deno.readTextFile(pid).catch(() => "")) !== "") break;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    child.kill("SIGTERM");
    await child.output();
    const left = Number(await Deno.readTextFile(pid));
    await new Promise((resolve) => setTimeout(resolve, 100));
    strictEqual(runs(left), false, "it was left behind");
  },
});
