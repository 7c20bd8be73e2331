import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** @type {import("node:child_process").ChildProcess | undefined} */
let reaper;

/** @param {Record<string, unknown>} message */
function tell(message) {
  if (reaper === undefined) {
    const file = fileURLToPath(new URL("./reaper.mjs", import.meta.url));
    reaper = spawn(process.execPath, [file], { stdio: ["pipe", "ignore", "ignore"], detached: true });
    reaper.unref();
    /** @type {import("node:net").Socket} */ (reaper.stdin).unref();
    reaper.stdin?.on("error", () => {});
  }
  reaper.stdin?.write(`${JSON.stringify(message)}\n`);
}

/**
 * From now on the process group is killed when this process ends in any way, SIGKILL included.
 *
 * @param {number} pid
 */
export function watch(pid) {
  tell({ watch: pid });
}

/** @param {number} pid */
export function forget(pid) {
  tell({ forget: pid });
}

/**
 * A directory for throw-away data, which is deleted when this process ends in any way.
 *
 * @param {string} name
 */
export function temporaryDirectory(name) {
  const directory = mkdtempSync(join(tmpdir(), `hebra-${name}-`));
  tell({ remove: directory });
  return directory;
}

/** @param {string} directory */
export function removeDirectory(directory) {
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  tell({ keep: directory });
}
