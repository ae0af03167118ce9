/** Planted faults: the doctor names each and its mend, and never a secret. */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { join } from "node:path";
import { vaultFolder } from "../../src/system/paths.ts";
import type { Finding } from "../../src/cli/doctor/finding.ts";
import { instantFromMs } from "../../src/core/time.ts";
import { Secret } from "../../src/ports.ts";
import { DoctorScene } from "../fixtures/doctor_scene.ts";
import { TcPool } from "../fixtures/tc_process.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { HAS_MODES } from "../fixtures/file_abilities.ts";

interface Fault {
  readonly name: string;
  readonly plant: (scene: DoctorScene) => unknown;
  readonly level: "warn" | "fail";
  /** What the finding says, and what its mend says. */
  readonly text: RegExp;
  readonly fix: RegExp;
  /** It is in modes, which not every system has. */
  readonly ofModes?: boolean;
}

const CANARY = "sk-ant-api03-FAKE-doctor-canary";

/** An upstream whose clock is `ms` away from ours. */
function upstreamAt(ms: number): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    () =>
      new Response(null, {
        headers: { date: new Date(Date.now() + ms).toUTCString() },
      }),
  );
}

async function settings(scene: DoctorScene, value: unknown): Promise<void> {
  const folder = scene.folder.join(".claude");
  await Deno.mkdir(folder);
  const text = typeof value === "string" ? value : JSON.stringify(value);
  await Deno.writeTextFile(join(folder, "settings.json"), text);
}

const FAULTS: readonly Fault[] = [
  {
    name: "a config cut in the middle",
    plant: (scene) => scene.write('{\n  "proxy": {"port": 3456\n'),
    level: "fail",
    text: /config\.json.*line \d+, column \d+/,
    fix: /nothing was changed/,
  },
  {
    name: "a value that is not allowed",
    plant: (scene) => scene.configure({ proxy: { port: 99_999 } }),
    level: "fail",
    text: /proxy\.port to 99999.*whole number/,
    fix: /./,
  },
  {
    name: "a key that is not a setting",
    plant: (scene) => scene.configure({ proxi: { port: 1 } }),
    level: "warn",
    text: /proxi is not a setting/,
    fix: /Did you mean proxy\?/,
  },
  {
    name: "a mistyped variable",
    plant: (scene) => {
      scene.variables["TC_PROXY_PROT"] = "3460";
    },
    level: "warn",
    text: /TC_PROXY_PROT is set, and no setting reads it/,
    fix: /Did you mean TC_PROXY_PORT\?/,
  },
  {
    name: "a program for notices that is not there",
    plant: (scene) =>
      scene.configure({ notify: { command: scene.folder.join("none") } }),
    level: "warn",
    text: /notify\.command .*none is not there/,
    fix: /tc config set notify\.command/,
  },
  {
    name: "a program for notices that cannot be started",
    ofModes: true,
    plant: async (scene) => {
      const command = scene.folder.join("told");
      await Deno.writeTextFile(command, "#!/bin/sh\n", { mode: 0o644 });
      await scene.configure({ notify: { command } });
    },
    level: "warn",
    text: /notify\.command .*told is not executable/,
    fix: /tc config set notify\.command/,
  },
  {
    name: "an open loopback",
    plant: (scene) =>
      scene.configure({ proxy: { port: scene.port, keylessLoopback: true } }),
    level: "warn",
    text: /keylessLoopback lets every user/,
    fix: /tc config set proxy.keylessLoopback false/,
  },
  {
    name: "a wide bind",
    plant: (scene) =>
      scene.configure({ proxy: { port: scene.port, host: "0.0.0.0" } }),
    level: "warn",
    text: /reached from the network/,
    fix: /proxy.host 127.0.0.1/,
  },
  {
    name: "a config that others write",
    ofModes: true,
    plant: (scene) => Deno.chmod(scene.paths.configFile, 0o666),
    level: "fail",
    text: /config\.json has mode 666/,
    fix: /chmod 600 .*config\.json/,
  },
  {
    name: "a secrets folder that others read",
    ofModes: true,
    plant: (scene) => Deno.chmod(scene.paths.secretsFolder, 0o755),
    level: "fail",
    text: /has mode 755/,
    fix: /chmod 700/,
  },
  {
    name: "a vault file that others read",
    ofModes: true,
    plant: async (scene) => {
      const folder = vaultFolder(scene.paths);
      for await (const { name } of Deno.readDir(folder)) {
        await Deno.chmod(join(folder, name), 0o644);
      }
    },
    level: "fail",
    text: /\.vault has mode 644/,
    fix: /chmod 600 .*\.vault/,
  },
  {
    name: "a damaged vault entry",
    plant: async (scene) => {
      const folder = vaultFolder(scene.paths);
      const names = (await Array.fromAsync(Deno.readDir(folder))).map((
        { name },
      ) => name);
      const name = names.find((name) => name.endsWith(".vault")) ?? "";
      await Deno.writeTextFile(join(folder, name), "rubbish", { mode: 0o600 });
    },
    level: "fail",
    text: /cannot be opened/,
    fix: /tc login/,
  },
  {
    name: "a damaged local key",
    plant: (scene) =>
      Deno.writeTextFile(join(scene.paths.secretsFolder, "key"), "?!", {
        mode: 0o600,
      }),
    level: "fail",
    text: /local key.*damaged/,
    fix: /./,
  },
  {
    name: "no account at all",
    plant: async (scene) => {
      const vault = await scene.vault();
      for (const { id } of await scene.entries()) await vault.remove(id);
    },
    level: "warn",
    text: /there is none yet/,
    fix: /tc login/,
  },
  {
    name: "an account without a credential",
    plant: (scene) => scene.configure({ accounts: [{ name: "ghost" }] }),
    level: "warn",
    text: /ghost is in the config without a credential/,
    fix: /tc login/,
  },
  {
    name: "a login shared with another program",
    plant: async (scene) => {
      const [entry] = await scene.entries();
      ok(entry);
      await (await scene.vault()).put({
        ...entry,
        sharedWith: { tool: "teamclaude", location: "~/teamclaude.json" },
      });
    },
    level: "warn",
    text: /teamclaude holds the same login and cannot hear of renewals/,
    fix: /tc login --account/,
  },
  {
    name: "a setup token that has ended",
    plant: async (scene) => {
      const [entry] = await scene.entries();
      ok(entry);
      await (await scene.vault()).put({
        ...entry,
        kind: "setup_token",
        credential: {
          kind: "setup_token",
          token: new Secret("sk-ant-oat01-FAKE-ended"),
          expiresAt: instantFromMs(Date.now() - 86_400_000),
        },
      });
    },
    level: "fail",
    text: /ended on .* cannot be renewed/,
    fix: /tc login --account/,
  },
  {
    name: "an upstream that is not there",
    plant: (scene) => scene.configure({ upstream: "http://127.0.0.1:1" }),
    level: "fail",
    text: /127\.0\.0\.1:1 cannot be reached/,
    fix: /look at the network/,
  },
  {
    name: "an upstream without an address",
    plant: (scene) => scene.configure({ upstream: "https://nowhere.invalid" }),
    level: "fail",
    text: /nowhere\.invalid has no address/,
    fix: /tc config show upstream/,
  },
  {
    name: "a proxy variable that is none",
    plant: ({ variables }) => {
      variables["HTTPS_PROXY"] = "::nonsense::";
      variables["NO_PROXY"] = "127.0.0.1";
    },
    level: "fail",
    text: /HTTPS_PROXY is not a proxy URL/,
    fix: /unset HTTPS_PROXY/,
  },
  {
    name: "a proxy that catches the loopback",
    plant: ({ variables }) => {
      variables["HTTP_PROXY"] = "http://proxy.example:3128";
    },
    level: "warn",
    text: /NO_PROXY leaves 127\.0\.0\.1 out/,
    fix: /export NO_PROXY/,
  },
  {
    name: "no Claude Code",
    plant: async (scene) => {
      for await (const { name } of Deno.readDir(scene.bin)) {
        await Deno.remove(join(scene.bin, name));
      }
    },
    level: "fail",
    text: /not on PATH/,
    fix: /code\.claude\.com/,
  },
  {
    name: "an API key in the environment",
    plant: ({ variables }) => {
      variables["ANTHROPIC_API_KEY"] = CANARY;
    },
    level: "warn",
    text: /ANTHROPIC_API_KEY in the environment makes Claude Code use a key/,
    fix: /unset ANTHROPIC_API_KEY/,
  },
  {
    name: "a base URL that leads elsewhere",
    plant: ({ variables }) => {
      variables["ANTHROPIC_BASE_URL"] = "http://127.0.0.1:9/k/" + CANARY;
    },
    level: "warn",
    text: /ANTHROPIC_BASE_URL in the environment leads elsewhere/,
    fix: /tc env/,
  },
  {
    name: "Bedrock in Claude Code's settings",
    plant: (scene) =>
      settings(scene, { env: { CLAUDE_CODE_USE_BEDROCK: "1" } }),
    level: "warn",
    text: /CLAUDE_CODE_USE_BEDROCK in .*settings\.json/,
    fix: /take it out of .*settings\.json/,
  },
  {
    name: "a foreign apiKeyHelper",
    plant: (scene) => settings(scene, { apiKeyHelper: "cat /key" }),
    level: "warn",
    text: /apiKeyHelper/,
    fix: /take it out of .*settings\.json/,
  },
  {
    name: "settings of Claude Code that are broken",
    plant: (scene) => settings(scene, "{,}"),
    level: "fail",
    text: /settings\.json is not JSON/,
    fix: /claude doctor/,
  },
  {
    name: "traffic control in front",
    plant: async (scene) => {
      await scene.program("tc", "#!/bin/sh\n");
      const own = scene.folder.join("own-tc");
      await Deno.writeTextFile(own, "", { mode: 0o755 });
      scene.variables["TC_DOCTOR_PROGRAM"] = own;
    },
    level: "warn",
    text: /another program of that name comes first/,
    fix: /(export |\$Env:)PATH ?=/,
  },
];

function bad(findings: readonly Finding[]): readonly Finding[] {
  return findings.filter(({ level, topic }) =>
    // How many files this machine grants a process is not ours to plant.
    level !== "ok" && topic !== "limits"
  );
}

Deno.test("a healthy pool has no finding", async () => {
  await using scene = await DoctorScene.open();
  deepStrictEqual(bad(await scene.findings()), []);
});

for (const { name, plant, level, text, fix, ofModes } of FAULTS) {
  Deno.test({
    name: `the doctor names ${name}`,
    ignore: ofModes === true && !HAS_MODES,
    fn: async () => {
      await using scene = await DoctorScene.open();
      await plant(scene);
      const findings = bad(await scene.findings());
      const found = findings.find((finding) => text.test(finding.text));
      ok(found, `not found in ${JSON.stringify(findings, null, 1)}`);
      strictEqual(found.level, level);
      match(found.fix ?? "", fix);
      ok(!JSON.stringify(findings).includes(CANARY));
    },
  });
}

Deno.test("the doctor reports a wrong clock", async () => {
  await using scene = await DoctorScene.open();
  await using upstream = upstreamAt(31_000);
  await scene.configure({ upstream: `http://127.0.0.1:${upstream.addr.port}` });
  const [found] = bad(await scene.findings());
  match(found?.text ?? "", /3[012] s behind the upstream's clock/);
});

Deno.test("the doctor reports another program on the port", async () => {
  await using scene = await DoctorScene.open();
  using _stranger = Deno.listen({ hostname: "127.0.0.1", port: scene.port });
  const [found] = bad(await scene.findings());
  strictEqual(found?.level, "fail");
  match(found.text, /held by another program/);
});

Deno.test("the doctor leaves no trace", async () => {
  await using scene = await DoctorScene.open();
  const list = () => [...Deno.readDirSync(scene.paths.secretsFolder)].length;
  const before = list();
  await scene.findings();
  strictEqual(list(), before);
});

Deno.test({
  name: "tc doctor --fix fixes modes, sets its exit code, and prints no secret",
  ignore: !HAS_MODES,
  fn: fixesModes,
});

async function fixesModes(): Promise<void> {
  await using api = await startScriptedApi();
  api.account("work", { tier: "max_5x" });
  await using pool = await TcPool.of(api);
  const { configFile } = pool.paths;
  await Deno.chmod(configFile, 0o666);
  const broken = await pool.tc(["doctor"]);
  strictEqual(broken.code, 2, broken.stdout + broken.stderr);
  match(broken.stdout, /fail +files +.*mode 666/);
  match(broken.stdout, /safe to paste/);
  await pool.tc(["doctor", "--fix"]);
  strictEqual(((await Deno.stat(configFile)).mode ?? 0) & 0o777, 0o600);
  const report = await pool.json(["doctor"]);
  strictEqual(report["schema"], "tc.doctor/v1");
}
