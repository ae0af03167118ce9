/** The service texts: what must be in them, and what their managers say. */

import "../fixtures/clean_environment.ts";
import {
  deepStrictEqual,
  doesNotMatch,
  match,
  ok,
  strictEqual,
} from "node:assert/strict";
import {
  type ServiceFacts,
  servicePlan,
  systemOf,
} from "../../src/service/plan.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";

const FACTS: ServiceFacts = {
  program: "/home/ann/.local/bin/tc",
  home: "/home/ann",
  configHome: "/home/ann/.config",
  variables: {},
  folders: ["/home/ann/.config/tc", "/home/ann/.local/state/tc"],
  logFile: "/home/ann/.local/state/tc/server.log",
  user: "501",
  session: "gui",
  drainSec: 30,
};

const ODD: ServiceFacts = {
  ...FACTS,
  program: '/opt/a b/50%/t"c',
  variables: { TC_CONFIG: "/home/ann/my <pool> & 100%.json" },
};

Deno.test("the systemd unit drains, reloads, and is hardened as far as V8 runs", () => {
  const { text, file, install } = servicePlan("systemd", FACTS);
  strictEqual(file, "/home/ann/.config/systemd/user/tc.service");
  match(text, /^ExecStart=\/home\/ann\/\.local\/bin\/tc server --headless$/m);
  match(text, /^ExecReload=\/bin\/kill -HUP \$MAINPID$/m);
  match(text, /^Type=notify$/m);
  match(text, /^TimeoutStopSec=40$/m);
  match(text, /^RestartPreventExitStatus=5 78$/m);
  match(text, /^NoNewPrivileges=yes$/m);
  doesNotMatch(text, /^MemoryDenyWriteExecute/m);
  // A second installation is to run, not the older one.
  deepStrictEqual(install.map(({ command }) => command.slice(2)), [
    ["daemon-reload"],
    ["enable", "tc.service"],
    ["restart", "tc.service"],
  ]);
});

Deno.test("odd paths are spelled as each manager reads them", () => {
  const systemd = servicePlan("systemd", ODD).text;
  match(systemd, /^ExecStart="\/opt\/a b\/50%%\/t\\"c" server --headless$/m);
  match(
    systemd,
    /^Environment="TC_CONFIG=\/home\/ann\/my <pool> & 100%%\.json"$/m,
  );
  const launchd = servicePlan("launchd", ODD).text;
  match(launchd, /<string>\/opt\/a b\/50%\/t&quot;c<\/string>/);
  match(launchd, /my &lt;pool&gt; &amp; 100%\.json/);
  const windows = servicePlan("windows", ODD).text;
  match(windows, /<Arguments>--headless cmd\.exe \/d \/s \/c /);
  match(windows, /set &quot;TC_CONFIG=\/home\/ann\/my &lt;pool&gt; &amp; 100%/);
});

Deno.test("the launchd agent starts again after a failure alone", () => {
  const { text, file, install, stop } = servicePlan("launchd", FACTS);
  strictEqual(file, "/home/ann/Library/LaunchAgents/dev.tc.server.plist");
  match(text, /<key>KeepAlive<\/key><dict><key>SuccessfulExit<\/key><false\/>/);
  match(text, /<key>ExitTimeOut<\/key><integer>40<\/integer>/);
  match(text, /<string>--log-file<\/string>/);
  deepStrictEqual(install.map(({ command }) => command), [
    ["launchctl", "bootout", "gui/501/dev.tc.server"],
    ["launchctl", "bootstrap", "gui/501", file],
  ]);
  deepStrictEqual(install.map(({ mayFail }) => mayFail ?? false), [
    true,
    false,
  ]);
  deepStrictEqual(stop, [
    "launchctl",
    "kill",
    "SIGTERM",
    "gui/501/dev.tc.server",
  ]);
});

Deno.test("the Windows task runs at log-on as the user, without end", () => {
  const { text } = servicePlan("windows", FACTS);
  match(text, /<LogonTrigger>/);
  match(text, /<RunLevel>LeastPrivilege<\/RunLevel>/);
  match(text, /<ExecutionTimeLimit>PT0S<\/ExecutionTimeLimit>/);
  // Without it a window opens at every log-on, and closing it ends the server.
  match(text, /<Command>%SystemRoot%\\System32\\conhost\.exe<\/Command>/);
  match(text, /<Arguments>--headless &quot;.*&quot; server --headless /);
});

Deno.test("of the managers, the task scheduler alone ends a program without a word", () => {
  for (const system of ["systemd", "launchd", "windows"] as const) {
    strictEqual(servicePlan(system, FACTS).endsHard, system === "windows");
  }
});

Deno.test("both XML texts are well-formed", () => {
  for (const facts of [FACTS, ODD]) {
    for (const system of ["launchd", "windows"] as const) {
      strictEqual(firstXmlFault(servicePlan(system, facts).text), null);
    }
  }
  strictEqual(firstXmlFault("<a><b></a>"), "</a> closes <b>");
  strictEqual(firstXmlFault("<a>x & y</a>"), "a bare &");
});

Deno.test("systemOf() knows the manager of each system", () => {
  deepStrictEqual(["linux", "darwin", "windows"].map(systemOf), [
    "systemd",
    "launchd",
    "windows",
  ]);
});

Deno.test({
  name: "systemd-analyze verify finds nothing in the unit",
  ignore: !hasProgram("systemd-analyze"),
  fn: async () => {
    await using folder = new TempFolder();
    const program = folder.join("t c 50%");
    await Deno.writeTextFile(program, "#!/bin/sh\n", { mode: 0o755 });
    const { text } = servicePlan("systemd", { ...ODD, program });
    const unit = folder.join("tc.service");
    await Deno.writeTextFile(unit, text);
    // Under any umask: a unit that others may write is complained of.
    await Deno.chmod(unit, 0o644);
    const said = await verify(unit);
    strictEqual(said, "");
    await Deno.writeTextFile(unit, text.replace("Type=notify", "Tipe=notify"));
    ok((await verify(unit)).includes("Tipe"), "the check sees nothing");
  },
});

async function verify(unit: string): Promise<string> {
  const { stderr } = await new Deno.Command("systemd-analyze", {
    args: ["verify", "--user", "--man=no", unit],
    env: { XDG_RUNTIME_DIR: unit.replace(/\/[^/]*$/, "") },
    stdout: "null",
  }).output();
  return new TextDecoder().decode(stderr).split("\n")
    .filter((line) => line.includes("tc.service")).join("\n");
}

function hasProgram(name: string): boolean {
  const path = Deno.env.get("PATH") ?? "";
  return path.split(":").some((folder) => {
    try {
      return Deno.statSync(`${folder}/${name}`).isFile;
    } catch {
      return false;
    }
  });
}

/** What is wrong with the tags of `xml`, or null. */
function firstXmlFault(xml: string): string | null {
  if (/&(?!(amp|lt|gt|quot|apos);)/.test(xml)) return "a bare &";
  const open: string[] = [];
  for (
    const [, slash, name, empty] of xml.matchAll(
      /<(\/?)([A-Za-z]+)[^<>]*?(\/?)>/g,
    )
  ) {
    if (empty === "/") continue;
    if (slash === "") open.push(name ?? "");
    else {
      const last = open.pop();
      if (last !== name) return `</${name}> closes <${last}>`;
    }
  }
  return open.length === 0 ? null : `<${open.at(-1)}> stays open`;
}
