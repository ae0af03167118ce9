import { main } from "./src/cli/root.ts";

Deno.exitCode = await main(Deno.args);
