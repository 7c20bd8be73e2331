import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import pg from "pg";

/** A server for benches: on a free loopback port, every commit synced to disk as on a server of one's own. */
export interface BenchPostgres {
  /** Makes an empty database. @returns its connection string */
  database(name: string): Promise<string>;
  stop(): Promise<void>;
}

/** The folder of the server's programs: on the path, or where Debian puts them. */
function programs(): string {
  const versions = existsSync("/usr/lib/postgresql")
    ? readdirSync("/usr/lib/postgresql").sort((a, b) => Number(b) - Number(a))
    : [];
  const folders = [
    ...(process.env["PATH"] ?? "").split(":"),
    ...versions.map((version) => join("/usr/lib/postgresql", version, "bin")),
  ];
  const found = folders.find((folder) => existsSync(join(folder, "initdb")));
  if (found === undefined) throw new Error("PostgreSQL's initdb is neither on the path nor in /usr/lib/postgresql.");
  return found;
}

/** The server refuses to run as root; root runs it as `postgres`. */
function user(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const id = (flag: string) => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }));
  return { uid: id("-u"), gid: id("-g") };
}

export async function startBenchPostgres(): Promise<BenchPostgres> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, "close");
  const folder = programs();
  const as = user();
  const directory = mkdtempSync(join(tmpdir(), "hebra-bench-"));
  if (as.uid !== undefined) chownSync(directory, as.uid, as.gid!);
  const data = join(directory, "data");
  execFileSync(
    join(folder, "initdb"),
    ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
    { ...as, cwd: directory, stdio: "ignore" },
  );
  // Without autovacuum no transaction is counted that nobody asked for.
  const settings = {
    listen_addresses: "127.0.0.1",
    port,
    unix_socket_directories: directory,
    max_connections: 100,
    fsync: "on",
    synchronous_commit: "on",
    autovacuum: "off",
  };
  const server = spawn(
    join(folder, "postgres"),
    ["-D", data, ...Object.entries(settings).flatMap(([key, value]) => ["-c", `${key}=${value}`])],
    { ...as, cwd: directory, stdio: "ignore" },
  );
  const gone = once(server, "exit");
  const url = (name: string) => `postgres://postgres@127.0.0.1:${port}/${name}`;

  async function query(text: string): Promise<void> {
    const client = new pg.Client({ connectionString: url("postgres") });
    await client.connect();
    await client.query(text);
    await client.end();
  }

  for (let attempt = 0; ; attempt++) {
    try {
      await query("SELECT 1");
      break;
    } catch (error) {
      if (attempt === 200 || server.exitCode !== null) throw error;
      await pause(50);
    }
  }
  return {
    async database(name) {
      await query(`CREATE DATABASE "${name}"`);
      return url(name);
    },
    async stop() {
      server.kill("SIGQUIT");
      await gone;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
