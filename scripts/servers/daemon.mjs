import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { forget, watch } from "../lib/guard.mjs";

/** @returns {Promise<number>} a port of the loopback interface that nobody listens on */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        address !== null && typeof address === "object" ? resolve(address.port) : reject(new Error("no port")),
      );
    });
  });
}

/**
 * @typedef {object} DaemonOptions
 * @property {string} name for messages
 * @property {string} command
 * @property {readonly string[]} args
 * @property {string} cwd
 * @property {{ uid?: number, gid?: number }} [user]
 * @property {NodeJS.Signals} stopSignal
 * @property {() => Promise<boolean>} isReady
 */

/**
 * Starts a server and waits until it answers.
 *
 * @param {DaemonOptions} options
 * @returns {Promise<{ stop: () => Promise<void> }>}
 */
export async function startDaemon({ name, command, args, cwd, user = {}, stopSignal, isReady }) {
  const child = spawn(command, args, { cwd, ...user, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (log = (log + chunk).slice(-20_000)));
  let ended = false;
  /** @type {Promise<void>} */
  const end = new Promise((resolve) => {
    const finish = () => {
      ended = true;
      if (child.pid !== undefined) forget(child.pid);
      resolve();
    };
    child.once("error", (error) => {
      log += error.message;
      finish();
    });
    child.once("exit", finish);
  });
  if (child.pid !== undefined) watch(child.pid);

  async function stop() {
    if (!ended) child.kill(stopSignal);
    const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
    await end;
    clearTimeout(timer);
  }

  const limit = Date.now() + 30_000;
  while (!(await isReady())) {
    if (ended || Date.now() > limit) {
      await stop();
      throw new Error(`${name} did not start:\n${log.trim()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { stop };
}
