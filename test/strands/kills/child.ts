import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { Job, Said, Told } from "./program.ts";

/** A process of the application, as its supervisor sees it. */
export interface Child {
  readonly isAlive: boolean;
  readonly ready: Promise<void>;
  tell(told: Told): void;
  kill(): Promise<void>;
  pause(): void;
  resume(): void;
}

/** @param ended - is told when it ends without having been killed, with what it wrote to its standard error */
export function startChild(
  program: string,
  job: Job,
  on: { said(said: Said, child: Child): void; ended(why: string): void },
): Child {
  const process: ChildProcess = fork(program, [JSON.stringify(job)], {
    execArgv: [],
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  let [isAlive, killed, complaint] = [true, false, ""];
  let wake = () => {};
  const ready = new Promise<void>((resolve) => (wake = resolve));
  process.stderr!.on("data", (chunk: Buffer) => (complaint += chunk.toString("utf8")));
  process.on("error", () => {});
  const exit = once(process, "exit").then(([code]) => {
    isAlive = false;
    wake();
    if (!killed) on.ended(`it ended by itself with ${String(code)}: ${complaint.slice(0, 2_000)}`);
  });
  process.on("message", (said: Said) => {
    if (said.said === "ready") wake();
    else on.said(said, child);
  });
  const child: Child = {
    get isAlive() {
      return isAlive && !killed;
    },
    ready,
    tell: (told) => void (process.connected && process.send(told, () => undefined)),
    async kill() {
      killed = true;
      process.kill("SIGCONT");
      process.kill("SIGKILL");
      await exit;
    },
    pause: () => void process.kill("SIGSTOP"),
    resume: () => void process.kill("SIGCONT"),
  };
  return child;
}
