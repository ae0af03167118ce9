/** Bodies as Claude Code sends them late in a session, made from source files. */

const SOURCES = new URL("../../src/", import.meta.url);
/** Lines of one tool result. */
const RESULT_LINES = 40;

function* sourceTexts(folder: URL): Generator<string> {
  const entries = [...Deno.readDirSync(folder)]
    .toSorted((a, b) => a.name < b.name ? -1 : 1);
  for (const { name, isDirectory } of entries) {
    if (isDirectory) yield* sourceTexts(new URL(`${name}/`, folder));
    else yield Deno.readTextFileSync(new URL(name, folder));
  }
}

/** Pieces of source code, over and over. */
function* pieces(): Generator<string> {
  for (;;) {
    for (const text of sourceTexts(SOURCES)) {
      const lines = text.split("\n");
      for (let at = 0; at < lines.length; at += RESULT_LINES) {
        yield lines.slice(at, at + RESULT_LINES).join("\n");
      }
    }
  }
}

/** Returns a request of about `bytes` bytes: tools, and turns of tool calls. */
export function conversationBody(bytes: number): string {
  const messages: unknown[] = [{ role: "user", content: "Fix the tab report" }];
  let length = 0;
  for (const piece of pieces()) {
    if (length >= bytes) break;
    const id = `toolu_${messages.length}`;
    const turns = [
      {
        role: "assistant",
        content: [
          { type: "text", text: piece.slice(0, 80) },
          { type: "tool_use", id, name: "Read", input: { path: "/a/b.ts" } },
        ],
      },
      {
        role: "user",
        content: [{ type: "tool_result", tool_use_id: id, content: piece }],
      },
    ];
    messages.push(...turns);
    length += JSON.stringify(turns).length;
  }
  return JSON.stringify({
    model: "claude-opus-5-5",
    max_tokens: 32_000,
    system: [{
      type: "text",
      text: "You are a careful engineer. ".repeat(100),
    }],
    tools: ["Bash", "Read", "Edit"].map((name) => ({
      name,
      description: "Does what its name says. ".repeat(40),
      input_schema: {
        type: "object",
        properties: { path: { type: "string" } },
      },
    })),
    messages,
  });
}
