/**
 * Every file that tc touches in a life of its own, seen from outside by strace:
 * none is written beside its folders, none is read that is not listed here, and
 * what `tc doctor --permissions` says holds. Ignored where strace is not
 * installed or may not trace, as in most containers.
 */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { dirname, join } from "node:path";
import { instantFromMs } from "../../src/core/time.ts";
import type { Grants } from "../../src/server/permissions.ts";
import { writtenFolders } from "../../src/system/paths.ts";
import {
  type ScriptedApi,
  startScriptedApi,
} from "../fixtures/scripted_api.ts";
import { messageBody } from "../fixtures/demo_message.ts";
import { listening } from "../fixtures/listening.ts";
import { ROOT } from "../fixtures/paths.ts";
import {
  canTrace,
  readTrace,
  type Touch,
  tracing,
} from "../fixtures/strace.ts";
import { cleanVariables, tcCommand, TcPool } from "../fixtures/tc_process.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import { TracedLife } from "../fixtures/traced_life.ts";

type Listed = readonly [path: RegExp, why: string];

/**
 * What may be read beside tc's own folders. No certificates among them: the
 * program carries its list of authorities.
 */
const READ: readonly Listed[] = [
  [/^\/etc\/ld\.so\.(cache|preload)$/, "the loader: where libraries are"],
  [/^(\/usr)?\/lib(32|64|x32)?\/.*\.so[.\d]*$/, "the system's libraries"],
  [/^(\/usr)?\/lib\/[^/]*-linux-[^/]*$/, "the folder of those libraries"],
  [/^\/proc\/(self|\d+)\/maps$/, "V8 and the runtime: bounds of the stack"],
  [/^\/proc\/\d+\/stat$/, "tc stop: whether the server has ended"],
  [/^\/proc\/(self|\d+)\/limits$/, "how many files it may have open"],
  [
    /^\/proc\/(self|\d+)\/(cgroup|mountinfo)$/,
    "which group limits CPU and memory",
  ],
  [
    /^\/etc\/(ssl|pki)(\/certs|\/.*\.(crt|pem))?$/,
    "the authorities that this machine trusts",
  ],
  [/^\/sys\/fs\/cgroup\//, "how much CPU and memory that group has"],
  [
    /^\/proc\/(meminfo|cpuinfo|stat|sys\/vm\/overcommit_memory)$/,
    "sizes of heap and pools",
  ],
  [/^\/sys\/devices\/system\/cpu(\/|$)/, "how many threads, how fast a clock"],
  [/^\/sys\/kernel\/mm\/transparent_hugepage\//, "the allocator: page sizes"],
  [/^\/dev\/(null|urandom)$/, "standard input, keys and ids"],
  [
    /^\/etc\/localtime$|^\/usr\/share\/zoneinfo\//,
    "the time zone of what is printed",
  ],
  [
    /^\/etc\/(nsswitch\.conf|passwd)$/,
    "the user's name: the vault is bound to it",
  ],
  [
    /^\/(var\/)?run\/nscd\/socket$/,
    "the C library asks a cache for names first",
  ],
  [
    /^(\/etc|\/var\/lib\/dbus)\/machine-id$/,
    "the machine: the vault is bound to it",
  ],
  [
    /^\/etc\/(hosts|host\.conf|resolv\.conf|gai\.conf)$/,
    "the upstream's address",
  ],
];

/** Entries that are looked at, on the way to others as well, and not read. */
const LOOKED_AT: readonly Listed[] = [
  [/^\/(etc|sys|proc)?$/, "on the way to what is listed"],
  [/^\/proc\/(self|\d+)\/exe$/, "the program's own path"],
  [
    /\/(\.claude|\.config\/claude)(\/projects)?$/,
    "the folders of Claude Code's transcripts, for a report",
  ],
];

/** What the program does that reads /proc, which the runtime keeps from tc. */
const BY_TOOL: readonly Listed[] = [
  [/\/cat$/, "the program, looked for on the PATH"],
  [/^pipe:\[\d+\]$/, "where it writes"],
  [/^\/dev\/null$/, "where it writes errors"],
];

/** What Deno reads besides when it runs tc from source. */
const READ_FROM_SOURCE: readonly Listed[] = [
  [/\/(deno\.jsonc?|package\.json)$/, "looked for in every folder above"],
  [/\/\.npmrc$/, "where packages come from"],
  [/^\/proc\/sys\/kernel\/osrelease$/, "the system's version"],
  [/\/node$/, "looked for on the PATH"],
];

/** Files that a person has at home and tc has no business with in this life. */
const BAIT = [
  ".ssh/id_ed25519",
  ".netrc",
  ".npmrc",
  ".bash_history",
  ".aws/credentials",
  ".claude.json",
  ".claude/.credentials.json",
  ".claude/settings.json",
  ".config/gh/hosts.yml",
];

const COMMANDS = [
  ["status"],
  ["report"],
  ["accounts", "-v"],
  ["disable", "work"],
  ["enable", "work"],
  ["stop"],
];

async function plantBait(home: string): Promise<void> {
  for (const name of BAIT) {
    await Deno.mkdir(dirname(join(home, name)), { recursive: true });
    await Deno.writeTextFile(join(home, name), "{}", { mode: 0o600 });
  }
}

/** The server must renew the account's token before it can serve. */
async function endToken(pool: TcPool): Promise<void> {
  const vault = await pool.vault();
  const [entry] = (await vault.list()).entries;
  ok(entry?.credential.kind === "oauth");
  await vault.put({
    ...entry,
    credential: { ...entry.credential, expiresAt: instantFromMs(1_000) },
  });
}

async function live(
  life: TracedLife,
  api: ScriptedApi,
  pool: TcPool,
): Promise<void> {
  const server = ["server", "--headless"];
  await endToken(pool);
  const child = life.start(server);
  await listening(pool.port);
  const answer = await fetch(`${await pool.baseUrl()}/v1/messages`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: messageBody(),
  });
  strictEqual(answer.status, 200, await answer.text());
  strictEqual(api.requests("/v1/oauth/token").length, 1);
  for (const args of COMMANDS) await life.end(args, life.start(args));
  await life.end(server, child);
}

function isListed(path: string, listed: readonly Listed[]): boolean {
  return listed.some(([pattern]) => pattern.test(path));
}

function isIn(path: string, folders: readonly string[]): boolean {
  return folders.some((folder) =>
    path === folder || path.startsWith(`${folder}/`)
  );
}

/** What belongs to the program itself. */
interface Program {
  readonly read: readonly string[];
  readonly write: readonly string[];
  readonly listed: readonly Listed[];
}

/** From source the program is Deno with our sources and a cache of its own. */
function programOf(): Program {
  const binary = Deno.env.get("TC_TEST_BINARY");
  if (binary !== undefined) {
    return { read: [Deno.realPathSync(binary)], write: [], listed: READ };
  }
  const cache = Deno.realPathSync(cleanVariables("/")["DENO_DIR"] ?? "");
  return {
    read: [Deno.execPath(), ROOT.replace(/\/$/, ""), cache],
    write: [cache],
    listed: [...READ, ...READ_FROM_SOURCE],
  };
}

function distinct(touches: readonly Touch[]): readonly string[] {
  return [...new Set(touches.map(({ call, path }) => `${call} ${path}`))]
    .sort();
}

/** Touches of other files than those of `own` folders and of the list. */
function strays(
  touches: readonly Touch[],
  own: readonly string[],
  program: Program,
): readonly string[] {
  return distinct(touches.filter(({ kind, path, call }) => {
    // A program starts in the folder of the one that starts it.
    if (call === "chdir" || isListed(path, BY_TOOL)) return false;
    switch (kind) {
      case "write":
        // The way to a folder of its own is made where it is not there yet.
        return !isIn(path, [...own, ...program.write]) &&
          !(call === "mkdir" && own.some((folder) => isIn(folder, [path])));
      case "read":
        return !isIn(path, [...own, ...program.read]) &&
          !isListed(path, program.listed);
      case "run":
        return !isIn(path, program.read);
      case "look":
        return !isIn(path, [...own, ...program.read]) &&
          !isListed(path, [...program.listed, ...LOOKED_AT]) &&
          ![...own, ...program.read].some((folder) => isIn(folder, [path]));
    }
  }));
}

Deno.test({
  name: "tc touches no file but its own and those it has a reason for",
  ignore: !canTrace(),
  fn: async () => {
    await using api = await startScriptedApi();
    api.account("work", { tier: "max_5x" });
    const upstream = api.url.replace("127.0.0.1", "localhost");
    await using pool = await TcPool.of(api, { upstream });
    await plantBait(pool.folder.path);
    await using life = new TracedLife(pool);
    await live(life, api, pool);

    const own = writtenFolders(pool.paths);
    deepStrictEqual(strays(life.touches, own, programOf()), []);
    for (const { unknown } of life.traces.values()) {
      deepStrictEqual(unknown, []);
    }
    assertSeen(life, pool);
    await assertAsReported(life, pool);
  },
});

/** A trace without what must have happened would prove nothing. */
function assertSeen(life: TracedLife, pool: TcPool): void {
  const { configFile, secretsFolder, stateFolder } = pool.paths;
  const seen = (kind: Touch["kind"], path: RegExp | string) =>
    ok(
      life.touches.some((touch) =>
        touch.kind === kind &&
        (typeof path === "string" ? touch.path === path : path.test(touch.path))
      ),
      `no ${kind} of ${path}`,
    );
  seen("read", configFile);
  seen("write", join(secretsFolder, "key"));
  seen("write", /\/vault\/[0-9a-f]+\.vault$/);
  seen("write", join(stateFolder, "state.db-wal"));
  seen("write", join(stateFolder, "tc.sock"));
  seen("read", "/etc/machine-id");
  seen("run", tcCommand()[0]);
}

/** The report names what the server dialled and wrote, and nothing was else. */
async function assertAsReported(life: TracedLife, pool: TcPool): Promise<void> {
  const report = await pool.json(["doctor", "--permissions"]);
  const { net, write, run } = report["server"] as Grants;
  strictEqual(run, false);
  const trace = life.traces.get("server");
  ok(trace);
  const granted = net.map((host) => host.replace("localhost", "127.0.0.1"));
  const others = trace.dialled.filter(({ address }) =>
    // The C library sorts a name's addresses by sockets that send nothing.
    !granted.includes(address) && !/^\[::1\]:|:0$/.test(address)
  );
  deepStrictEqual(others, []);
  const listened = trace.dialled.some(({ call, address }) =>
    call === "bind" && address === `127.0.0.1:${pool.port}`
  );
  ok(listened, "the server was not seen to listen");
  const { write: caches } = programOf();
  // A trace names no thread: the config and the key are the main one's.
  const ofMainThread = writtenFolders(pool.paths);
  const elsewhere = trace.touches.filter(({ kind, call, path }) =>
    kind === "write" && call !== "mkdir" && !isListed(path, BY_TOOL) &&
    !isIn(path, [...write, ...caches, ...ofMainThread])
  );
  deepStrictEqual(distinct(elsewhere), []);
}

Deno.test({
  name: "a file written or read beside them would be seen",
  ignore: !canTrace(),
  fn: async () => {
    await using folder = new TempFolder();
    const script =
      "cd /; (cat etc/hostname; : >$0/made; mv $0/made $0/moved; rm $0/moved) &" +
      " mkdir $0/own; : >$0/own/fine; wait";
    const [program, ...args] = tracing(folder.join("trace"), [
      "/bin/sh",
      "-c",
      script,
      folder.path,
    ]);
    await new Deno.Command(program, { args, stdout: "null", stderr: "null" })
      .output();
    const { touches } = readTrace(
      await Deno.readTextFile(folder.join("trace")),
    );
    const found = strays(touches, [folder.join("own")], {
      read: [],
      write: [],
      listed: READ,
    })
      .map((line) => line.replace(/^\S+ /, "").replace(folder.path, "")).sort();
    for (const path of ["/etc/hostname", "/made", "/moved", "/bin/sh"]) {
      ok(found.includes(path), `${path} is not in ${found}`);
    }
    ok(!found.some((path) => path.startsWith("/own")));
  },
});
