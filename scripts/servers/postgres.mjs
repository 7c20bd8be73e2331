import { chownSync, existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { removeDirectory, temporaryDirectory } from "../lib/guard.mjs";
import { run } from "../lib/run.mjs";
import { freePort, startDaemon } from "./daemon.mjs";

/**
 * PostgreSQL on a free loopback port, with data that is deleted when it stops. It refuses to run as root; root runs it
 * as the
 * user `postgres`.
 *
 * @param {string} program path of `postgres`, with `initdb` beside it
 */
export async function startPostgres(program) {
  const user = process.getuid?.() === 0 ? unprivileged() : undefined;
  const directory = temporaryDirectory("postgres");
  const data = join(directory, "data");
  try {
    if (user !== undefined) chownSync(directory, user.uid, user.gid);
    const initdb = join(dirname(program), "initdb");
    const made = await run(
      initdb,
      ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
      { ...user, cwd: directory, output: "capture" },
    );
    if (!made.ok) throw new Error(`initdb failed:\n${made.output}`);
    const port = await freePort();
    // No fsync: what a crash of the whole machine does to this data is of no interest, and the tests are quicker.
    const settings = {
      listen_addresses: "127.0.0.1",
      port,
      unix_socket_directories: directory,
      max_connections: 200,
      fsync: "off",
    };
    const daemon = await startDaemon({
      name: "postgres",
      command: program,
      args: ["-D", data, ...Object.entries(settings).flatMap(([key, value]) => ["-c", `${key}=${value}`])],
      cwd: directory,
      user: user ?? {},
      stopSignal: "SIGINT",
      isReady: async () => isReady(data),
    });
    const stop = async () => {
      await daemon.stop();
      removeDirectory(directory);
    };
    return { url: `postgres://postgres@127.0.0.1:${port}/postgres`, stop };
  } catch (error) {
    removeDirectory(directory);
    throw error;
  }
}

/**
 * The server writes its state in the last line of its pid file:
 * https://www.postgresql.org/docs/current/storage-file-layout.html
 */
function isReady(/** @type {string} */ data) {
  const file = join(data, "postmaster.pid");
  return existsSync(file) && readFileSync(file, "utf8").trimEnd().split("\n").at(-1)?.trim() === "ready";
}

function unprivileged() {
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((entry) => entry.startsWith("postgres:"));
  const [, , uid, gid] = line?.split(":") ?? [];
  if (uid === undefined || gid === undefined) {
    throw new Error(
      "PostgreSQL does not run as root, and this machine has no user `postgres`. Create one (useradd --system postgres), run the tests as another user, or set DATABASE_URL.",
    );
  }
  return { uid: Number(uid), gid: Number(gid) };
}
