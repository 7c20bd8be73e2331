import { spawn } from "node:child_process";
import { forget, watch } from "./guard.mjs";
import { root } from "./paths.mjs";

/**
 * @typedef {object} RunOptions
 * @property {string} [cwd] default: the root of the repository
 * @property {NodeJS.ProcessEnv} [env] default: this process's
 * @property {"show" | "capture" | "quiet"} [output] `quiet` prints only what a failing command said. Default: `show`
 * @property {number} [uid]
 * @property {number} [gid]
 *
 * @typedef {{ ok: boolean, code: number, output: string }} RunResult
 */

/** @type {Set<number>} */
const running = new Set();
let stopped = false;

/**
 * Runs a command to its end, with no stdin and in a process group of its own.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {RunOptions} [options]
 * @returns {Promise<RunResult>}
 */
export function run(command, args, options = {}) {
  const { output = "show", cwd = root, env = process.env, ...user } = options;
  return new Promise((resolve) => {
    if (stopped) return resolve({ ok: false, code: 130, output: "stopped" });
    const child = spawn(command, args, {
      cwd,
      env,
      ...user,
      detached: true,
      stdio: ["ignore", output === "show" ? "inherit" : "pipe", output === "show" ? "inherit" : "pipe"],
    });
    /** @type {Buffer[]} */
    const chunks = [];
    child.stdout?.on("data", (chunk) => chunks.push(chunk));
    child.stderr?.on("data", (chunk) => chunks.push(chunk));
    const pid = child.pid;
    if (pid !== undefined) {
      running.add(pid);
      watch(pid);
    }
    /** @param {number} code @param {string} [trouble] */
    const end = (code, trouble) => {
      if (pid !== undefined) {
        running.delete(pid);
        forget(pid);
      }
      const text = Buffer.concat(chunks).toString("utf8") + (trouble ?? "");
      if (output === "quiet" && code !== 0)
        process.stdout.write(`$ ${command} ${args.join(" ")}\n${text.endsWith("\n") ? text : `${text}\n`}`);
      resolve({ ok: code === 0, code, output: text });
    };
    child.once("error", (error) => end(127, error.message));
    child.once("close", (code, signal) => end(code ?? 1, signal === null ? undefined : `\nended by ${signal}`));
  });
}

/** Ends every command that still runs, and lets no other one start. */
export function stopCommands() {
  stopped = true;
  for (const pid of running) {
    try {
      process.kill(-pid, "SIGTERM");
    } catch {
      // It has ended by itself.
    }
  }
}
