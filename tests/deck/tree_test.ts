import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { agentsOf } from "../../src/deck/agent.ts";
import { forestOf, treeRows } from "../../src/deck/tree.ts";
import type { LocalSession } from "../../src/claude/sessions/sessions.ts";
import { NOW, pinned, poolStatus, seedTree, session, usage } from "./scene.ts";

function forest(
  local: readonly LocalSession[],
  tokens: Readonly<Record<string, number>> = {},
) {
  const status = poolStatus({
    sessions: local.map(({ sessionId }) =>
      session(sessionId, {
        usage: usage({ output: tokens[sessionId.replace("s-", "")] ?? 1 }),
      })
    ),
    requests: [],
  });
  return forestOf(agentsOf(status, local, NOW));
}

function drawn(local: readonly LocalSession[]): readonly string[] {
  return treeRows(forest(local)).map(({ agent, node }) =>
    `${node.depth} ${agent.id}`
  );
}

Deno.test("forestOf() sums the seed's example per node, level and tree", () => {
  const { local, sessions } = seedTree();
  const status = poolStatus({ sessions, requests: [] });
  const { roots, levels, total } = forestOf(agentsOf(status, local, NOW));
  strictEqual(roots.length, 1);
  const [root] = roots;
  deepStrictEqual(
    [root?.sum.tokens, ...root?.children.map((c) => c.sum.tokens) ?? []],
    [58_000, 33_000, 15_000],
  );
  deepStrictEqual(levels.map(({ agents, tokens }) => [agents, tokens]), [
    [1, 10_000],
    [2, 8_000],
    [3, 40_000],
  ]);
  strictEqual(total.agents, 6);
});

Deno.test("treeRows() puts roots and siblings by tokens of their subtrees", () => {
  const rows = treeRows(forest([
    pinned("A", null),
    pinned("B", "A"),
    pinned("C", "A"),
    pinned("D", "C"),
  ], { A: 1, B: 5, C: 1, D: 9 }));
  deepStrictEqual(rows.map(({ agent }) => agent.label), ["A", "C", "D", "B"]);
  deepStrictEqual(rows.map(({ isLead }) => isLead), [true, true, false, false]);
});

Deno.test("forestOf() draws no cycle, and no issue that is its own parent", () => {
  deepStrictEqual(drawn([pinned("A", "B"), pinned("B", "A")]), []);
  deepStrictEqual(drawn([pinned("A", "A"), pinned("B", "A")]), []);
});

Deno.test("forestOf() leaves out who has neither a live parent nor a child", () => {
  deepStrictEqual(drawn([pinned("A", "gone"), pinned("B", null)]), []);
});

Deno.test("treeRows() shows both agents of one issue, children once", () => {
  const rows = drawn([
    pinned("A", null, { sessionId: "s-1" }),
    pinned("A", null, { sessionId: "s-2" }),
    pinned("B", "A"),
  ]);
  deepStrictEqual(rows, ["0 s-1", "0 s-2", "1 s-B"]);
});

Deno.test("treeRows() goes twelve levels deep", () => {
  const local = Array.from(
    { length: 12 },
    (_, depth) => pinned(`L${depth}`, depth === 0 ? null : `L${depth - 1}`),
  );
  deepStrictEqual(
    drawn(local),
    local.map(({ sessionId }, depth) => `${depth} ${sessionId}`),
  );
});

Deno.test("forestOf() counts each agent at most once, whatever the pins say", () => {
  const names = ["A", "B", "C", "D", "E"];
  const pins = fc.array(
    fc.tuple(
      fc.constantFrom(...names),
      fc.option(fc.constantFrom(...names), { nil: null }),
    ),
    { maxLength: 9 },
  );
  fc.assert(fc.property(pins, (drawnPins) => {
    const local = drawnPins.map(([name, parent], index) =>
      pinned(name, parent, { sessionId: `s-${index}` })
    );
    const found = forest(local);
    const rows = treeRows(found);
    const ids = rows.map(({ agent }) => agent.id);
    strictEqual(new Set(ids).size, ids.length);
    strictEqual(found.total.agents, ids.length);
    strictEqual(found.members.size, ids.length);
    const inLevels = found.levels.reduce((sum, l) => sum + l.agents, 0);
    ok(inLevels === ids.length);
  }));
});
