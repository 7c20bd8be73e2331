// Cleans up after a parent that was killed and could not do it itself. Reads one JSON document a line on stdin, and
// acts
// only when stdin ends: what is then still registered is killed and removed.
import { rmSync } from "node:fs";
import { createInterface } from "node:readline";

/** @type {Set<number>} */
const groups = new Set();
/** @type {Set<string>} */
const directories = new Set();

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => {});

for await (const line of createInterface({ input: process.stdin })) {
  const { watch, forget, remove, keep } = JSON.parse(line);
  if (watch !== undefined) groups.add(watch);
  if (forget !== undefined) groups.delete(forget);
  if (remove !== undefined) directories.add(remove);
  if (keep !== undefined) directories.delete(keep);
}

for (const pid of groups) {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}
if (groups.size > 0) await new Promise((resolve) => setTimeout(resolve, 300));
for (const directory of directories) rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
