import { connect } from "node:net";
import { removeDirectory, temporaryDirectory } from "../lib/guard.mjs";
import { freePort, startDaemon } from "./daemon.mjs";

/**
 * A Redis with an append-only file, on a free loopback port, with data that is deleted when it stops.
 *
 * @param {string} program
 */
export async function startRedis(program) {
  const directory = temporaryDirectory("redis");
  const port = await freePort();
  const settings = { port, bind: "127.0.0.1", dir: directory, appendonly: "yes", save: "", daemonize: "no" };
  try {
    const daemon = await startDaemon({
      name: "redis-server",
      command: program,
      args: Object.entries(settings).flatMap(([key, value]) => [`--${key}`, String(value)]),
      cwd: directory,
      stopSignal: "SIGTERM",
      isReady: () => answers(port),
    });
    const stop = async () => {
      await daemon.stop();
      removeDirectory(directory);
    };
    return { url: `redis://127.0.0.1:${port}`, stop };
  } catch (error) {
    removeDirectory(directory);
    throw error;
  }
}

/** @param {number} port @returns {Promise<boolean>} */
function answers(port) {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" });
    const end = (/** @type {boolean} */ answer) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(2_000, () => end(false));
    socket.once("error", () => end(false));
    socket.once("connect", () => socket.write("PING\r\n"));
    socket.once("data", (data) => end(data.toString().startsWith("+PONG")));
  });
}
