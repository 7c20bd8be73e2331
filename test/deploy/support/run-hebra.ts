import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "../../../scripts/lib/paths.mjs";
import { deployPath } from "./files.ts";

/** A command of `hebra` in a process of its own, as a container would run it. */
export interface HebraProcess {
  /** What it has written to standard output, and to standard error. */
  readonly out: () => string;
  readonly err: () => string;
  /** Resolves when it says that it has started. @throws Error with what it said when it ended instead */
  started(): Promise<void>;
  /** The exit code, once it ended; `null` when a signal ended it. */
  readonly exit: Promise<number | null>;
  /** SIGTERM, and what `exit` then says. */
  stop(): Promise<number | null>;
}

/** A port of this host that nobody has. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

const running = new Set<ChildProcess>();

/** Ends what a failed test left behind. */
export function killAll(): void {
  for (const child of running) child.kill("SIGKILL");
}

/** Starts `hebra` from source; `/app/` in arguments and environment is the app of deploy/. */
export function runHebra(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  cwd: string = root,
): HebraProcess {
  const here = (text: string) => text.replace(/(?<=^|\s)\/app\//g, `${deployPath("app")}/`);
  const fromSource = `--conditions=@hebra/source --import ${pathToFileURL(join(root, "node_modules/tsx/dist/loader.mjs")).href}`;
  const own = Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [name, value === undefined ? undefined : here(value)]),
  );
  const child: ChildProcess = spawn(
    process.execPath,
    [join(root, "packages/hebra/src/cli/main.ts"), ...args.map(here)],
    {
      cwd,
      env: { PATH: process.env["PATH"], ...own, NODE_OPTIONS: `${fromSource} ${own["NODE_OPTIONS"] ?? ""}` },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  running.add(child);
  const texts = { out: "", err: "" };
  let saidSo = () => {};
  const started = new Promise<void>((resolve) => (saidSo = resolve));
  child.stdout!.on("data", (chunk: Buffer) => {
    texts.out += chunk.toString();
    if (texts.out.includes('"started"')) saidSo();
  });
  child.stderr!.on("data", (chunk: Buffer) => (texts.err += chunk.toString()));
  const exit = once(child, "close").then(([code]) => {
    running.delete(child);
    return code as number | null;
  });
  return {
    out: () => texts.out,
    err: () => texts.err,
    started: () =>
      Promise.race([
        started,
        exit.then((code) => {
          throw new Error(`hebra ${args.join(" ")} ended with ${String(code)}: ${texts.out}${texts.err}`);
        }),
      ]),
    exit,
    async stop() {
      child.kill("SIGTERM");
      return exit;
    },
  };
}

/** What a process answers; `undefined` while it does not listen. */
export async function answerOf(
  port: number,
  path: string,
  init?: RequestInit,
): Promise<{ status: number; text: string } | undefined> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, init);
    return { status: response.status, text: await response.text() };
  } catch {
    return undefined;
  }
}

/** The series that a process serves to Prometheus, without their labels. */
export const seriesServed = (text: string): Set<string> =>
  new Set(
    text
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => /^[\w:]+/.exec(line)![0]),
  );
