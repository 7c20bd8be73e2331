import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { Command, Said } from "./program.ts";

/** A process of one build that lives for as long as it is needed. */
export interface BuildProcess {
  /** Does one thing. @throws Error with the code of what the process threw */
  tell(command: Command): Promise<unknown>;
  /** Resolves with how it ended. */
  ended: Promise<NodeJS.Signals | number | null>;
  stop(): Promise<void>;
}

const living = new Set<ChildProcess>();

export function startBuild(file: string): BuildProcess {
  const child = fork(file, [], { execArgv: [], stdio: ["ignore", "ignore", "pipe", "ipc"] });
  living.add(child);
  let complaint = "";
  child.stderr!.on("data", (chunk: Buffer) => (complaint += chunk.toString("utf8")));
  const waiting = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>();
  let count = 0;
  child.on("message", (said: Said) => {
    const asked = waiting.get(said.number)!;
    waiting.delete(said.number);
    if ("code" in said) asked.reject(Object.assign(new Error(said.code), { code: said.code }));
    else asked.resolve(said.result);
  });
  const ended = once(child, "close").then(([code, signal]) => {
    living.delete(child);
    for (const { reject } of waiting.values())
      reject(new Error(`The process ended by ${String(signal ?? code)}. ${complaint}`));
    waiting.clear();
    return (signal ?? code) as NodeJS.Signals | number | null;
  });
  const tell = (command: Command) =>
    new Promise<unknown>((resolve, reject) => {
      const number = ++count;
      waiting.set(number, { resolve, reject });
      child.send({ number, command });
    });
  return {
    tell,
    ended,
    async stop() {
      await tell({ do: "close" });
      child.kill("SIGTERM");
      await ended;
    },
  };
}

/** Ends what a failed test has left. */
export function endAll(): void {
  for (const child of living) child.kill("SIGKILL");
}
