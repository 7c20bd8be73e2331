import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundle } from "@hebra/test-servers/bundle";
import { eventually } from "@hebra/test-servers/eventually";

/** As deep as `dist/cli`: from here the program finds its manifest and its peers. */
const folder = fileURLToPath(new URL(`../../../.cache/cli-${process.pid}/`, import.meta.url));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));

/** `app` is the module that the commands of the tests load. */
export const { main, app } = await bundle(folder, {
  main: fileURLToPath(new URL("../main.ts", import.meta.url)),
  app: fileURLToPath(new URL("app.fixture.ts", import.meta.url)),
});
export const root = fileURLToPath(new URL("../../../../../", import.meta.url));

/** A real `hebra` in a process of its own. */
export interface Spawned {
  readonly child: ChildProcess;
  out(): string;
  err(): string;
  /** Resolves with the first line of standard output that fits. */
  line(fits: (line: string) => boolean, what: string, limitMs?: number): Promise<string>;
  /** The first line, as JSON: what a gateway or a worker says when it runs. */
  started(): Promise<{ started: string; pid: number; port: number; probes: number }>;
  readonly exit: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/** How long a process may take to say something on a busy machine, in milliseconds. */
export const PATIENCE = 60_000;

export function hebra(args: readonly string[], env: Record<string, string | undefined> = {}): Spawned {
  const child = spawn(process.execPath, [main, ...args], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let out = "";
  let err = "";
  child.stdout!.on("data", (chunk) => (out += String(chunk)));
  child.stderr!.on("data", (chunk) => (err += String(chunk)));
  let ended = false;
  const exit = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) =>
    child.once("close", (code, signal) => {
      ended = true;
      resolve({ code, signal });
    }),
  );
  const line: Spawned["line"] = async (fits, what, limitMs = PATIENCE) => {
    const found = () => out.split("\n").slice(0, -1).find(fits);
    await eventually(() => found() !== undefined || ended, what, limitMs);
    const seen = found();
    if (seen === undefined) throw new Error(`${what}: the process ended first.\n${out}\n${err}`);
    return seen;
  };
  return {
    child,
    out: () => out,
    err: () => err,
    line,
    exit,
    started: async () =>
      JSON.parse(await line((text) => text.startsWith("{"), "the process says that it runs")) as never,
  };
}

/** A directory with a configuration and a log, and everything that was started: removed and ended at the end. */
export function workbench() {
  const directory = mkdtempSync(join(tmpdir(), "hebra-cli-"));
  const log = join(directory, "log");
  writeFileSync(log, "");
  const running = new Set<Spawned>();
  return {
    directory,
    log,
    config(value: object, name = "hebra.json"): string {
      const path = join(directory, name);
      writeFileSync(path, JSON.stringify(value));
      return path;
    },
    run(args: readonly string[], env: Record<string, string | undefined> = {}): Spawned {
      const spawned = hebra(args, { HEBRA_TEST_LOG: log, ...env });
      running.add(spawned);
      void spawned.exit.then(() => running.delete(spawned));
      return spawned;
    },
    /** What the app wrote down so far. */
    noted: () =>
      readFileSync(log, "utf8")
        .split("\n")
        .filter((text) => text !== "")
        .map(
          (text) =>
            JSON.parse(text) as {
              event: string;
              text: string;
              pid: number;
              id: string;
              session: string;
              inReplyTo: string;
            },
        ),
    async close(): Promise<void> {
      for (const { child } of running) child.kill("SIGKILL");
      await Promise.all([...running].map(({ exit }) => exit));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
