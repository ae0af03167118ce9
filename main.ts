import { main } from "./src/cli/start.ts";

Deno.exitCode = await main(Deno.args);
