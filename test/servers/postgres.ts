import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { eventually } from "./eventually.ts";
import { freePort } from "./free-port.ts";

const debian = "/usr/lib/postgresql";

/** The folder of `initdb` and `postgres`: from PATH, else the newest that Debian installed. */
function findPrograms(): string | undefined {
  const installed = existsSync(debian) ? readdirSync(debian) : [];
  const newestFirst = installed.sort((a, b) => Number(b) - Number(a)).map((version) => join(debian, version, "bin"));
  return [...(process.env["PATH"] ?? "").split(delimiter), ...newestFirst].find((folder) =>
    existsSync(join(folder, "initdb")),
  );
}

/** PostgreSQL does not run as root; root starts it as the user `postgres`. */
function findUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return {} as { uid: number; gid: number };
  try {
    const [uid, gid] = ["-u", "-g"].map((flag) => Number(execFileSync("id", [flag, "postgres"], { stdio: "pipe" })));
    return { uid: uid!, gid: gid! };
  } catch {
    return undefined;
  }
}

/** Why the tests that need a server of their own are left out, or `undefined`. */
export const withoutPostgresServer =
  findPrograms() === undefined
    ? "initdb is not on PATH"
    : findUser() === undefined
      ? "there is no user postgres to run the server as"
      : undefined;

/** A throw-away server on a free loopback port. */
export interface TestPostgres {
  readonly port: number;
  readonly url: string;
  /** Ends the server and every connection at once, without a checkpoint. Its data stays. */
  kill(): Promise<void>;
  /** Starts it again on the same port and data. */
  restart(): Promise<void>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

/** Starts a server that trusts every local user. `settings` are those of `postgresql.conf`. */
export async function startPostgres(settings: Readonly<Record<string, string | number>> = {}): Promise<TestPostgres> {
  const programs = findPrograms()!;
  const user = findUser()!;
  const port = await freePort();
  const directory = mkdtempSync(join(tmpdir(), "hebra-postgres-"));
  if (user.uid !== undefined) chownSync(directory, user.uid, user.gid);
  const data = join(directory, "data");
  const init = ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"];
  execFileSync(join(programs, "initdb"), init, { ...user, cwd: directory, stdio: "ignore" });
  const all = { listen_addresses: "127.0.0.1", port, unix_socket_directories: directory, fsync: "off", ...settings };
  const flags = Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  // The last line of the pid file: https://www.postgresql.org/docs/current/storage-file-layout.html
  const pidFile = join(data, "postmaster.pid");
  const isReady = () => existsSync(pidFile) && /\bready\s*$/.test(readFileSync(pidFile, "utf8"));
  let server: ChildProcess;
  const launch = async () => {
    server = spawn(join(programs, "postgres"), ["-D", data, ...flags], { ...user, cwd: directory, stdio: "ignore" });
    await eventually(isReady, "the server accepts connections", 30_000);
  };
  const kill = async () => {
    if (server.exitCode !== null || server.signalCode !== null) return;
    const exited = once(server, "exit");
    server.kill("SIGQUIT");
    await exited;
  };
  await launch();
  return {
    port,
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    kill,
    restart: launch,
    async stop() {
      await kill();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
