import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { FrozenJob, FrozenSaid } from "./frozen-program.ts";

/** A process that stands still, or has ended its work. */
export interface Frozen {
  child: ChildProcess;
  /** True when it stands still, false when its work ended before. */
  stopped: Promise<boolean>;
  /** What it says in the end. */
  said: Promise<FrozenSaid>;
  wake(): void;
}

/** Starts it; it goes its way until it stops by itself. */
export function startFrozen(program: string, job: FrozenJob): Frozen {
  const child = fork(program, [JSON.stringify(job)], { execArgv: [], stdio: ["ignore", "ignore", "pipe", "ipc"] });
  let complaint = "";
  child.stderr!.on("data", (chunk: Buffer) => (complaint += chunk.toString("utf8")));
  const ended = once(child, "close").then(([code, signal]) =>
    Promise.reject(new Error(`It ended by ${String(signal ?? code)}. ${complaint}`)),
  );
  ended.catch(() => undefined);
  const said = Promise.race([once(child, "message").then(([message]) => message as FrozenSaid), ended]);
  said.catch(() => undefined);
  let over = false;
  const done = () => ((over = true), false);
  return {
    child,
    said,
    stopped: Promise.race([standsStill(child.pid!, () => over), said.then(done, done)]),
    wake: () => void child.kill("SIGCONT"),
  };
}

/** The kernel says so: state T (https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html). */
async function standsStill(pid: number, isOver: () => boolean): Promise<boolean> {
  while (!isOver()) {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    if (stat.slice(stat.lastIndexOf(")") + 2).startsWith("T")) return true;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return false;
}
