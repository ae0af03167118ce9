/** What looking at a request costs: `deno bench tests/bench/peek_bench.ts`. */

import { peek } from "../../src/wire/request/request_peek.ts";

const MEGABYTE = 1024 * 1024;

/** Source code as a tool result holds it: a quote or an escape every few words. */
const CODE = [
  'const message = "Cannot open the file";',
  "  if (line.includes(\"\\t\")) { report('tab', { line, column: 3 }); }",
  "// ünïcödé, and a path C:\\\\Users\\\\me",
  "export function open(path: string): Promise<File | null> {",
].join("\n");

const TOOLS = Array.from({ length: 24 }, (_, index) => ({
  name: `Tool${index}`,
  description: "Does what its name says, and no more. ".repeat(30),
  input_schema: {
    type: "object",
    properties: {
      path: { type: "string", description: "Where the file is" },
      limit: { type: "integer", description: "Lines at most", minimum: 1 },
    },
    required: ["path"],
  },
}));

/** A conversation of about `bytes` bytes with tool calls, as Claude Code sends it. */
function conversation(bytes: number): Uint8Array {
  const messages: unknown[] = [];
  for (let size = 0; size < bytes; size += CODE.length * 12) {
    const id = `toolu_${messages.length}`;
    messages.push(
      {
        role: "assistant",
        content: [
          { type: "tool_use", id, name: "Read", input: { path: "/a/b.ts" } },
        ],
      },
      {
        role: "user",
        content: [
          { type: "tool_result", tool_use_id: id, content: CODE.repeat(10) },
        ],
      },
    );
  }
  return new TextEncoder().encode(JSON.stringify({
    model: "claude-opus-5-5",
    messages: [{ role: "user", content: "Mend the tab report" }, ...messages],
    system: [{ type: "text", text: CODE.repeat(60) }],
    tools: TOOLS,
    metadata: { user_id: '{"session_id":"s"}' },
    max_tokens: 128_000,
    stream: true,
  }));
}

function picture(bytes: number): Uint8Array {
  const source = {
    type: "base64",
    media_type: "image/png",
    data: "iVBORw0K".repeat(bytes / 8),
  };
  return new TextEncoder().encode(JSON.stringify({
    model: "claude-opus-5-5",
    messages: [{ role: "user", content: [{ type: "image", source }] }],
  }));
}

const BODIES: readonly (readonly [name: string, body: Uint8Array])[] = [
  ["50 kB conversation", conversation(30_000)],
  ["1 MB conversation", conversation(MEGABYTE)],
  ["8 MB conversation", conversation(8 * MEGABYTE)],
  ["8 MB picture", picture(8 * MEGABYTE)],
  ["1 MB of quotes", new Uint8Array(MEGABYTE).fill(0x22)],
  [
    "1 MB of nesting",
    new TextEncoder().encode(`{"a":${"[".repeat(MEGABYTE)}`),
  ],
];

for (const [name, body] of BODIES) {
  const size = `${(body.length / MEGABYTE).toFixed(2)} MB`;
  Deno.bench(`peek() at ${name} (${size})`, () => {
    peek([], "/v1/messages?beta=true", body);
  });
}

Deno.bench("JSON.parse of the 1 MB conversation, to compare", () => {
  JSON.parse(new TextDecoder().decode(BODIES[1]?.[1]));
});
