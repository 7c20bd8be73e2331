import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundle } from "@hebra/test-servers/bundle";
import type { Job, Said } from "./program.ts";

const here = dirname(fileURLToPath(import.meta.url));
const folder = join(dirname(here), "node_modules", ".cache", `crash-${process.pid}`);

/** How long any process may take, in milliseconds: a hung one is a violation, and the machine may be busy. */
const PATIENCE = 60_000;

/**
 * Makes plain JavaScript of a program and our packages.
 *
 * @param from - the program's folder. @defaultValue this one
 * @returns the file
 */
export async function bundleProgram(name = "program", from = here): Promise<string> {
  const { program } = await bundle(folder, { program: join(from, `${name}.ts`) });
  return program;
}

export function removeProgram(): void {
  rmSync(folder, { recursive: true, force: true });
}

/** How a process ended. */
export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** It said that it was done. */
  done: boolean;
  /** What it wrote to its standard error. */
  complaint: string;
}

/** A process that was given a job. */
export interface Running {
  child: ChildProcess;
  ended: Promise<Ended>;
}

/** @param decide - answers approvals, as a person would in another process. */
export function start(program: string, job: Job, decide: (approvalIds: string[]) => Promise<void>): Running {
  const child = fork(program, [JSON.stringify(job)], { execArgv: [], stdio: ["ignore", "ignore", "pipe", "ipc"] });
  let done = false;
  let complaint = "";
  child.stderr!.on("data", (chunk: Buffer) => (complaint += chunk.toString("utf8")));
  child.on("message", (said: Said) => {
    if ("done" in said) done = true;
    else void decide(said.waiting).then(() => child.connected && child.send("decided"));
  });
  child.on("error", () => {});
  const timer = setTimeout(() => {
    complaint += "It took too long and was ended.";
    child.kill("SIGKILL");
  }, PATIENCE);
  const ended = once(child, "close").then(([code, signal]) => {
    clearTimeout(timer);
    return { code: code as number | null, signal: signal as NodeJS.Signals | null, done, complaint };
  });
  return { child, ended };
}

/** Does work two at a time, in order. */
export async function twoAtATime<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < items.length; i = next++) results[i] = await work(items[i]!);
  };
  await Promise.all([worker(), worker()]);
  return results;
}
