/** What a second user of the machine gets of a pool, with its own process. */

import "../fixtures/clean_environment.ts";
import { match, ok, strictEqual } from "node:assert/strict";
import { join } from "node:path";
import { ServedPool } from "../fixtures/served_pool.ts";
import { needs } from "../fixtures/skipped.ts";

/** In no list of users: nothing of the system belongs to it. */
const SECOND = 54_321;

/** Runs `script` as the second user. */
async function asSecond(
  script: string,
  ...args: readonly string[]
): Promise<{ readonly code: number; readonly text: string }> {
  const { code, stdout, stderr } = await new Deno.Command("/bin/sh", {
    args: ["-c", script, "sh", ...args],
    uid: SECOND,
    gid: SECOND,
    cwd: "/",
    clearEnv: true,
    env: { PATH: "/usr/bin:/bin", HOME: "/nonexistent" },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
}

Deno.test({
  name: "a second user reads no secret, gets no answer, and stops nothing",
  // Only root can be another user.
  ignore: needs("modes") || Deno.uid() !== 0,
  fn: async () => {
    await using served = await ServedPool.open();
    const { paths, folder } = served.pool;
    // The home itself is open, as many are: the folders of tc must hold.
    await Deno.chmod(folder.path, 0o755);
    const key = await Deno.readTextFile(join(paths.secretsFolder, "key"));
    const all = [
      paths.configFile,
      join(paths.secretsFolder, "key"),
      join(paths.stateFolder, "state.db"),
      paths.vaultKeyFile,
    ];
    for (const path of all) {
      const { code } = await asSecond('cat "$1" >/dev/null', path);
      ok(code !== 0, `it reads ${path}`);
    }
    for (const path of [paths.secretsFolder, paths.stateFolder]) {
      ok((await asSecond('ls "$1"', path)).code !== 0, `it lists ${path}`);
      const { code } = await asSecond('touch "$1/planted"', path);
      ok(code !== 0, `it writes into ${path}`);
    }
    for (const path of ["/v1/messages", "/tc/v1/status", "/capacity", "/ui"]) {
      const { text } = await asSecond(
        'curl -s -o /dev/null -w "%{http_code}" --max-time 10 "$1"',
        `${served.origin}${path}`,
      );
      strictEqual(text, "401", path);
    }
    const socket = join(paths.stateFolder, "tc.sock");
    const bySocket = await asSecond(
      'curl -s --max-time 10 --unix-socket "$1" http://localhost/healthz',
      socket,
    );
    ok(bySocket.code !== 0, bySocket.text);
    const killed = await asSecond('kill -9 "$1"', String(served.pid));
    ok(killed.code !== 0);
    // Neither the list of processes nor their environment shows the key.
    const shown = await asSecond("cat /proc/[0-9]*/cmdline 2>/dev/null");
    ok(!shown.text.includes(key.trim()));
    const environ = await asSecond(
      'cat "/proc/$1/environ"',
      String(served.pid),
    );
    ok(environ.code !== 0);
    // And all the while the owner is served.
    const answer = await served.post();
    strictEqual(answer.status, 200);
    match(await answer.text(), /./);
  },
});
