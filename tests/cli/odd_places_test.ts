/** A full disk, a read-only home, odd time zones: the world's faults, in words. */

import "../fixtures/clean_environment.ts";
import { match, ok, strictEqual } from "node:assert/strict";
import { localZone } from "../../src/core/calendar.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { canMount, SmallDisk } from "../fixtures/mounts.ts";
import { tcCommand, TcPool } from "../fixtures/tc_process.ts";
import { needs } from "../fixtures/skipped.ts";

const FAULT = /bug in tc|Uncaught|\bat .*\.ts:\d/;

Deno.test({
  name: "every command reports a full disk on its output",
  ignore: needs("pipes") ||
    !await Deno.stat("/dev/full").then(() => true, () => false),
  fn: async () => {
    await using api = await startScriptedApi();
    api.account("work");
    await using pool = await TcPool.of(api, { usage: { poll: false } });
    const [program, ...first] = tcCommand();
    const commands = [
      ["--version"],
      ["version"],
      ["accounts"],
      ["accounts", "--json"],
      ["config", "show"],
      ["help"],
      ["man"],
      ["completion", "bash"],
      ["doctor"],
      ["no-such-command", "--json"],
    ];
    for (const args of commands) {
      const { code, stderr } = await new Deno.Command("/bin/sh", {
        args: ["-c", 'exec "$0" "$@" >/dev/full', program, ...first, ...args],
        clearEnv: true,
        env: pool.variables,
        stdin: "null",
        stdout: "null",
      }).output();
      const words = new TextDecoder().decode(stderr);
      ok(!FAULT.test(words), `${args.join(" ")}: ${words}`);
      if (args[0] === "no-such-command") {
        match(words, /Cannot find the command/);
      } else {
        match(words, /Cannot write the output: the disk is full/);
        strictEqual(code, 73, args.join(" "));
      }
    }
  },
});

Deno.test({
  name: "a read-only home is reported, and reading still works",
  ignore: !canMount(),
  fn: async () => {
    await using api = await startScriptedApi();
    await using pool = await TcPool.of(api);
    const home = pool.folder.join("home");
    await Deno.mkdir(home);
    using disk = new SmallDisk(home, "1m");
    await disk.setWritable("ro");
    const env = {
      HOME: home,
      USERPROFILE: home,
      TC_PROXY_PORT: String(pool.port),
    };
    const commands = [
      ["status"],
      ["accounts"],
      ["env"],
      ["server", "--headless"],
      ["swap", "auto"],
      ["profile", "list"],
      ["config", "set", "log.level", "debug"],
      ["login", "--no-browser"],
    ];
    for (const args of commands) {
      const { code, stderr } = await pool.tc(args, env);
      strictEqual(code, 73, `${args.join(" ")}: ${stderr}`);
      match(stderr, /Cannot \w+.*: the file system is read-only/);
      ok(!FAULT.test(stderr), stderr);
    }
    strictEqual((await pool.tc(["config", "show"], env)).code, 0);
    const doctor = await pool.tc(["doctor"], env);
    ok(!FAULT.test(doctor.stdout + doctor.stderr), doctor.stdout);
    await disk.setWritable("rw");
  },
});

Deno.test({
  name: "tc bugreport on a full disk leaves no partial report",
  ignore: !canMount(),
  fn: async () => {
    await using api = await startScriptedApi();
    await using pool = await TcPool.of(api);
    const full = pool.folder.join("full");
    await Deno.mkdir(full);
    using disk = new SmallDisk(full, "64k");
    disk.fill();
    const file = `${full}/report.txt`;
    const { code, stderr } = await pool.tc([
      "bugreport",
      "--yes",
      "--output",
      file,
    ]);
    strictEqual(code, 73, stderr);
    match(stderr, /Cannot write .*report\.txt: the disk is full/);
    strictEqual(await Deno.stat(file).then(() => true, () => false), false);
  },
});

Deno.test({
  name: "every time zone that a system may name prints times and reports",
  fn: async () => {
    await using api = await startScriptedApi();
    api.account("work");
    await using pool = await TcPool.of(api, { usage: { poll: false } });
    const server = pool.command(["server", "--headless"], {
      stdout: "null",
      stderr: "null",
    }).spawn();
    for (let tries = 0; tries < 200; tries++) {
      if ((await pool.tc(["status"])).code === 0) break;
    }
    await (await fetch(`${await pool.baseUrl()}/v1/models`)).text();
    const zones = ["", ":/etc/localtime", "UTC-5", "Mars/Base", "<+03>-3"];
    for (const TZ of zones) {
      for (const args of [["status"], ["report"], ["report", "day"]]) {
        const { code, stdout, stderr } = await pool.tc(args, { TZ });
        strictEqual(code, 0, `TZ=${TZ} ${args.join(" ")}: ${stderr}`);
        ok(!/undefined|Invalid Date|Unknown/.test(stdout), stdout);
      }
    }
    strictEqual((await pool.tc(["stop"])).code, 0);
    await server.status;
  },
});

Deno.test("localZone() uses the offset if the name is not a zone", () => {
  const at = Date.UTC(2026, 0, 1);
  const cases = [
    ["Etc/Unknown", 0, "UTC", 0],
    [undefined, 0, "UTC", 0],
    [undefined, 300, "+05:00", 300],
    ["Mars/Base", -210, "-03:30", -210],
    [undefined, 345, "+05:45", 345],
    ["Europe/Berlin", 0, "Europe/Berlin", 60],
  ] as const;
  for (const [name, offset, wanted, minutes] of cases) {
    const zone = localZone(name, offset);
    strictEqual(zone.name, wanted);
    strictEqual(zone.offsetMs(at) / 60_000, minutes);
  }
});
