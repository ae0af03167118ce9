/** What fails beside the data plane and must not end the server. */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { catchUncaught } from "../../src/system/uncaught_errors.ts";
import { keepFault, readFaults } from "../../src/records/log/fault_file.ts";
import { pathsFrom } from "../../src/system/paths.ts";
import { instantFromMs } from "../../src/core/time.ts";
import { listening } from "../fixtures/listening.ts";
import { ROOT } from "../fixtures/paths.ts";
import { TcPool } from "../fixtures/tc_process.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import { needs, needsLinux } from "../fixtures/skipped.ts";

const IGNORE = needs("signals") ||
  Deno.env.get("TC_TEST_BINARY") !== undefined;

async function pidAt(pool: TcPool): Promise<number> {
  return (await (await fetch(`${await pool.baseUrl()}/healthz`)).json()).pid;
}

/** The runtime under a path of its own, which can be removed. */
async function ownRuntime(folder: TempFolder): Promise<string> {
  const path = folder.join("runtime");
  await Deno.link(Deno.execPath(), path)
    .catch(() => Deno.copyFile(Deno.execPath(), path));
  return path;
}

Deno.test({
  name:
    "tc restart with the executable and the start folder gone says so, and the server goes on",
  ignore: IGNORE,
  fn: async () => {
    await using api = await startScriptedApi();
    api.account("work", { tier: "max_5x" });
    await using pool = await TcPool.of(api, { usage: { poll: false } });
    await using folder = new TempFolder();
    const runtime = await ownRuntime(folder);
    const worktree = folder.join("worktree");
    await Deno.mkdir(worktree);
    const args = ["run", "-A", "--cached-only", `${ROOT}main.ts`];
    const server = new Deno.Command(runtime, {
      args: [...args, "server", "--headless"],
      cwd: worktree,
      clearEnv: true,
      env: pool.variables,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    await listening(pool.port);
    const pid = await pidAt(pool);
    await Deno.remove(worktree);
    await Deno.link(runtime, folder.join("away"));
    await Deno.remove(runtime);

    const refused = await pool.tc(["restart"]);
    strictEqual(refused.code !== 0, true);
    match(refused.stderr, /runtime no longer exists: install tc there again/);
    match(refused.stderr, /nothing was lost/);
    strictEqual(await pidAt(pool), pid);

    await Deno.rename(folder.join("away"), runtime);
    const restarted = await pool.tc(["restart"]);
    strictEqual(restarted.code, 0, restarted.stderr);
    ok(await pidAt(pool) !== pid);
    strictEqual((await pool.tc(["stop"])).code, 0);
    await server.status;
  },
});

Deno.test({
  name: "a server stands in its state folder",
  ignore: needsLinux("limits"),
  fn: async () => {
    await using api = await startScriptedApi();
    await using pool = await TcPool.of(api, { usage: { poll: false } });
    const server = pool.command(["server", "--headless"], {
      stdout: "null",
      stderr: "null",
    }).spawn();
    await listening(pool.port);
    strictEqual(
      await Deno.readLink(`/proc/${server.pid}/cwd`),
      pool.paths.stateFolder,
    );
    strictEqual((await pool.tc(["stop"])).code, 0);
    await server.status;
  },
});

Deno.test({
  name:
    "SIGUSR1 and SIGUSR2 do not end a server, nor open a debugger in the executable",
  ignore: needs("signals"),
  fn: async () => {
    await using api = await startScriptedApi();
    await using pool = await TcPool.of(api, { usage: { poll: false } });
    const server = pool.command(["server", "--headless"], { stdout: "null" })
      .spawn();
    const said = new Response(server.stderr).text();
    await listening(pool.port);
    for (const signal of ["SIGUSR1", "SIGUSR2", "SIGUSR1"] as const) {
      server.kill(signal);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    strictEqual(await pidAt(pool), server.pid);
    strictEqual((await pool.tc(["stop"])).code, 0);
    await server.status;
    // From source the runtime opens its own, whatever the program listens to.
    const isExecutable = Deno.env.get("TC_TEST_BINARY") !== undefined;
    const words = await said;
    if (isExecutable) strictEqual(/debugger|inspector/i.test(words), false);
  },
});

Deno.test("catchUncaught() reports what nobody awaits, and the thread goes on", async () => {
  const script = `
    import { catchUncaught } from "${ROOT}src/system/uncaught_errors.ts";
    catchUncaught(globalThis, (fault) => console.log("caught " + fault));
    function lost() { return Promise.reject(new Error("rejected")); }
    lost();
    setTimeout(function thrower() { throw new Error("thrown"); }, 10);
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }) => {
      console.log("worker " + data);
      if (data === "lives") { console.log("end"); Deno.exit(0); }
    };`;
  const worker = `
    import { catchUncaught } from "${ROOT}src/system/uncaught_errors.ts";
    catchUncaught(self, (fault) => self.postMessage(fault));
    setTimeout(function inWorker() { throw new Error("deep"); }, 10);
    setTimeout(() => self.postMessage("lives"), 100);`;
  await using folder = new TempFolder();
  await Deno.writeTextFile(folder.join("script.ts"), script);
  await Deno.writeTextFile(folder.join("worker.ts"), worker);
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", folder.join("script.ts")],
  }).output();
  const text = new TextDecoder().decode(stdout);
  strictEqual(code, 0, new TextDecoder().decode(stderr));
  match(text, /caught Error: rejected\s+at lost/);
  match(text, /caught Error: thrown\s+at \S*thrower/);
  match(text, /worker Error: deep\s+at \S*inWorker/);
  match(text, /worker lives\nend\n$/);
});

Deno.test("catchUncaught() gives the runtime its own way back", () => {
  const scope = new EventTarget();
  const told: string[] = [];
  const strays = catchUncaught(scope, (fault) => told.push(fault));
  const event = new ErrorEvent("error", { error: "one", cancelable: true });
  scope.dispatchEvent(event);
  strictEqual(event.defaultPrevented, true);
  strays[Symbol.dispose]();
  scope.dispatchEvent(new ErrorEvent("error", { error: "two" }));
  deepStrictEqual(told, ["one"]);
});

Deno.test("what a server caught is in tc doctor, and its file stays small", async () => {
  await using api = await startScriptedApi();
  await using pool = await TcPool.of(api, { usage: { poll: false } });
  await Deno.mkdir(pool.paths.stateFolder, { recursive: true, mode: 0o700 });
  const fields = (number: number) => ({
    fault: `Error: number ${number}\n    at place (${"x".repeat(200)})`,
  });
  for (let number = 0; number < 1_000; number++) {
    const at = instantFromMs(Date.now());
    const event = number % 2 === 0 ? "stray" : "fault";
    keepFault(pool.paths, {
      at,
      level: "error",
      event,
      fields: fields(number),
    });
    keepFault(pool.paths, { at, level: "info", event: "request", fields: {} });
  }
  const kept = readFaults(pool.paths);
  ok(kept.length < 500 && kept.length >= 20, `${kept.length}`);
  match(kept.at(-1)?.text ?? "", /^Error: number 999/);
  const { stdout } = await pool.tc(["doctor"]);
  match(stdout, /\d+ faults of tc were caught, the last at 20.*number 999/);
  const elsewhere = pathsFrom({ HOME: pool.folder.join("none") }, "linux");
  deepStrictEqual(readFaults(elsewhere), []);
});
