// Everything that has to hold, on a machine with Node.js and npm alone: `npm test`. See --help.
import { requireNode } from "./lib/node-version.mjs";

requireNode();
const { main } = await import("./test/main.mjs");
try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
