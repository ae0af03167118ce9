/** Another program on tc's port gets neither key nor prompt, and is named. */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import {
  type ScriptedApi,
  startScriptedApi,
} from "../fixtures/scripted_api.ts";
import { listenerIn } from "../../src/system/port_owner.ts";
import { whoListens } from "../../src/server/strangers.ts";
import { TcPool } from "../fixtures/tc_process.ts";
import { printsWord, putClient } from "../fixtures/client_stub.ts";
import { needsLinux } from "../fixtures/skipped.ts";

type Manner = (connection: Deno.TcpConn, heard: Uint8Array) => Promise<void>;

/** A program that is not tc, on `port`; remembers all bytes that it gets. */
class Stranger implements AsyncDisposable {
  readonly #listener: Deno.TcpListener;
  readonly #work: Promise<void>;
  heard = "";

  get port(): number {
    return this.#listener.addr.port;
  }

  constructor(port: number, manner: Manner) {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port });
    this.#work = this.#serve(manner);
  }

  async #serve(manner: Manner): Promise<void> {
    const open: Promise<void>[] = [];
    for await (const connection of this.#listener) {
      open.push(this.#answer(connection, manner));
    }
    await Promise.all(open);
  }

  async #answer(connection: Deno.TcpConn, manner: Manner): Promise<void> {
    try {
      const buffer = new Uint8Array(64 * 1024);
      for (;;) {
        const count = await connection.read(buffer);
        if (count === null) break;
        const bytes = buffer.slice(0, count);
        this.heard += new TextDecoder().decode(bytes);
        await manner(connection, bytes);
      }
      connection.close();
    } catch {
      // The manner has closed it.
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#work;
  }
}

function saying(status: string, body: string): Manner {
  const answer = `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\n` +
    `content-length: ${body.length}\r\n\r\n${body}`;
  return async (connection) => {
    await connection.write(new TextEncoder().encode(answer));
  };
}

const HEALTHY = JSON.stringify({
  schema: "tc.health/v1",
  name: "tc",
  version: "0.1.0",
  pid: 1,
  state: "serving",
});

const MANNERS: readonly (readonly [string, Manner, RegExp])[] = [
  ["says 200 to all", saying("200 OK", HEALTHY), /it is not tc/],
  [
    "makes up a proof",
    saying("200 OK", '{"schema":"tc.proof/v1","proof":"abc"}'),
    /another tc of yours/,
  ],
  ["says 404", saying("404 Not Found", "{}"), /it is not tc/],
  ["closes", (connection) => {
    connection.close();
    return Promise.resolve();
  }, /closes every connection/],
  ["speaks no HTTP", async (connection) => {
    await connection.write(new TextEncoder().encode("SSH-2.0-x\r\n"));
  }, /it is not tc/],
  ["is silent", () => Promise.resolve(), /does not answer/],
];

/** Whether the system names the process on a port: wine does not. */
const TELLS_OWNERS = Deno.build.os !== "windows" ||
  await new Deno.Command("netstat", { args: ["-ano"] }).output()
    .then(({ stdout }) => /\bPID\b/.test(new TextDecoder().decode(stdout)));

/** A pool that has its key, and no server. */
async function poolOf(api: ScriptedApi): Promise<TcPool> {
  const pool = await TcPool.of(api, { usage: { poll: false } });
  await pool.tc(["env", "--json"]);
  return pool;
}

async function keyOf(pool: TcPool): Promise<string> {
  return (await pool.baseUrl()).split("/k/")[1] ?? "";
}

/** A stand-in for Claude Code that must never be started. */
async function programPath(pool: TcPool): Promise<string> {
  const folder = pool.folder.join("bin");
  await Deno.mkdir(folder);
  return await putClient(folder, printsWord("STARTED"));
}

for (const [name, manner, why] of MANNERS) {
  Deno.test({
    name: `a program on the port that ${name} gets nothing of ours`,
    fn: async () => {
      await using api = await startScriptedApi();
      api.account("work");
      await using pool = await poolOf(api);
      const key = await keyOf(pool);
      const path = await programPath(pool);
      await using stranger = new Stranger(pool.port, manner);
      const commands = name === "is silent"
        ? [["run", "--", "-p", "a secret prompt"]]
        : [
          ["run", "--", "-p", "a secret prompt"],
          ["status"],
          ["explain"],
          ["stop"],
          ["server"],
        ];
      for (const words of commands) {
        const { code, stdout, stderr } = await pool.tc(words, { PATH: path });
        const told = `${words[0]}: ${stdout}${stderr}`;
        strictEqual(code, 5, told);
        match(stderr, why, told);
        match(stderr, new RegExp(`127\\.0\\.0\\.1:${pool.port}`), told);
        if (TELLS_OWNERS) match(stderr, new RegExp(`pid ${Deno.pid}`), told);
        match(stderr, /tc config set proxy\.port \d+/, told);
        ok(!/STARTED|undefined/.test(told), told);
      }
      ok(stranger.heard !== "", "nothing was asked");
      ok(!stranger.heard.includes(key), "the key was shown");
      ok(!stranger.heard.includes("secret prompt"), "the prompt was shown");
    },
  });
}

Deno.test("a program that relays the proof from the real server gets nothing", async () => {
  await using api = await startScriptedApi();
  api.account("work");
  await using pool = await TcPool.of(api, { usage: { poll: false } });
  const server = pool.command(["server", "--headless"]).spawn();
  try {
    while ((await pool.tc(["status"])).code !== 0);
    const relay: Manner = async (connection, bytes) => {
      const text = new TextDecoder().decode(bytes);
      const onward = await Deno.connect({
        hostname: "127.0.0.1",
        port: pool.port,
      });
      // The host header of the question names the relay's own port.
      const asked = text.replace(
        /host: [^\r]+/,
        `host: 127.0.0.1:${pool.port}`,
      );
      await onward.write(new TextEncoder().encode(asked));
      const buffer = new Uint8Array(4096);
      const count = await onward.read(buffer) ?? 0;
      onward.close();
      await connection.write(buffer.slice(0, count));
    };
    await using stranger = new Stranger(0, relay);
    const key = await keyOf(pool);
    const { code, stderr } = await pool.tc(["status"], {
      TC_PROXY_PORT: String(stranger.port),
    });
    strictEqual(code, 5, stderr);
    match(stranger.heard, /\/tc\/v1\/proof/);
    ok(!stranger.heard.includes(key), "the key was shown");
  } finally {
    server.kill("SIGTERM");
    await server.output();
  }
});

Deno.test({
  name: "another tc on the port is named, and the command that is given helps",
  fn: async () => {
    await using api = await startScriptedApi();
    api.account("work");
    await using first = await TcPool.of(api, { usage: { poll: false } });
    await first.tc(["env", "--shell", "sh"]);
    const { server } = await first.json(["status"]) as {
      readonly server: { readonly pid: number };
    };
    await using second = await TcPool.of(api, {
      usage: { poll: false },
      proxy: { port: first.port },
    });
    const key = await keyOf(first);
    for (const words of [["status"], ["stop"], ["run"], ["env"]]) {
      const { code, stdout, stderr } = await second.tc(
        words,
        words[0] === "run" ? { PATH: await programPath(second) } : {},
      );
      strictEqual(code, 5, stderr);
      match(
        stderr,
        TELLS_OWNERS
          ? new RegExp(
            `another tc of yours \\(pid ${server.pid}\\) listens there`,
          )
          : /another tc of yours listens there/,
      );
      ok(!stdout.includes(key) && !stderr.includes(key));
    }
    const refused = await second.tc(["status"]);
    const command = /^ *tc (config set proxy\.port \d+) /m.exec(refused.stderr);
    ok(command?.[1] !== undefined, refused.stderr);
    strictEqual((await second.tc(command[1].split(" "))).code, 0);
    strictEqual((await second.tc(["env", "--shell", "sh"])).code, 0);
    strictEqual((await second.tc(["status"])).code, 0);
    strictEqual((await second.tc(["stop"])).code, 0);
    // The other one is as it was.
    strictEqual((await first.tc(["status"])).code, 0);
  },
});

const NOBODY = 65_534;
/** Listens, says its port, and closes every connection. */
const PERL = `use IO::Socket::INET; $| = 1;
my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 9) or die;
print $s->sockport, "\\n"; while (my $c = $s->accept) { close $c }`;

function hasPerl(): boolean {
  try {
    return Deno.statSync("/usr/bin/perl").isFile;
  } catch {
    return false;
  }
}

Deno.test({
  name: "a program of another user on the port is named with its user",
  ignore: needsLinux("root") || Deno.uid() !== 0 || !hasPerl(),
  fn: async () => {
    await using api = await startScriptedApi();
    await using pool = await poolOf(api);
    const other = new Deno.Command("/usr/bin/perl", {
      args: ["-e", PERL],
      uid: NOBODY,
      cwd: "/",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const reader = other.stdout.getReader();
    const { value } = await reader.read();
    const port = new TextDecoder().decode(value).trim();
    try {
      const { code, stderr } = await pool.tc(["status"], {
        TC_PROXY_PORT: port,
      });
      strictEqual(code, 5, stderr);
      match(stderr, /of another user \((nobody|65534)\)/);
    } finally {
      other.kill();
      await other.status;
      await reader.cancel();
    }
  },
});

Deno.test("the message says whose tc is on the port", () => {
  const other = { pid: null, program: null, otherUser: "anna" };
  strictEqual(
    whoListens("wrong_proof", other),
    "the tc of another user (anna) listens there",
  );
  strictEqual(
    whoListens("no_proof", other),
    "another program of another user (anna) listens there, and it is not tc",
  );
  strictEqual(
    whoListens("wrong_proof", { pid: 7, program: "tc", otherUser: null }),
    "another tc of yours (pid 7) listens there, with another key",
  );
  strictEqual(
    whoListens("silent", { pid: 7, program: "nc\x1b[2J", otherUser: null }),
    "nc[2J (pid 7) listens there, and does not answer",
  );
  strictEqual(
    whoListens("no_proof", null),
    "another program listens there, and it is not tc",
  );
});

Deno.test("listenerIn() finds the listener in the system's table", () => {
  const table = [
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
    "   0: 0100007F:0D80 0100007F:9C40 01 00000000:00000000 00:00000000 00000000  1000        0 11 1",
    "   1: 0100007F:0D80 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1001        0 22 1",
  ].join("\n");
  deepStrictEqual(listenerIn(table, 3456), { uid: 1001, inode: "22" });
  strictEqual(listenerIn(table, 3457), null);
});
