import { eventually } from "@hebra/test-servers/eventually";
import { startChild, type Child } from "./child.ts";
import type { Job, Said } from "./program.ts";

/** A message that was given to the application, until its turn has ended. */
interface Message {
  id: string;
  key: string;
  text: string;
  /** The process that was given it last. */
  by: Child;
  executionId: string | undefined;
  ended: string | undefined;
}

/** Two processes of one application, and the people who write to it: they repeat what was not acknowledged. */
export interface Application {
  readonly children: readonly Child[];
  /** Gives a message to one of the processes. @returns its id */
  send(key: string, text: string): void;
  /** Kills a process and starts another in its place. */
  kill(slot: number): Promise<void>;
  /** Waits until every turn has ended. @returns what has not ended by then */
  settled(withinMs: number): Promise<string[]>;
  /** What went wrong at the moment at which it happened. */
  readonly wrong: string[];
  readonly messages: readonly { id: string; key: string; executionId: string | undefined; ended: string | undefined }[];
  close(): Promise<void>;
}

/** What `result` may be rejected with when another process has gone on with the turn. */
const ELSEWHERE = new Set(["STALE_FENCE", "VERSION_CONFLICT", "CLOSED"]);
/** What a caller may be told while something is away: it says the same again. */
const AGAIN = new Set([
  "UNREACHABLE",
  "STORE_BUSY",
  "STORE_FAILED",
  "VERSION_CONFLICT",
  "STALE_FENCE",
  "LOCK_LOST",
  "EXECUTION_NOT_FOUND",
]);
const AGAIN_MS = 100;

/** @param random - from 0 to 1 */
export async function startApplication(program: string, job: Job, random: () => number): Promise<Application> {
  const messages = new Map<string, Message>();
  const wrong: string[] = [];
  let closed = false;
  const on = { said: hear, ended: (why: string) => void wrong.push(why) };
  const children = [startChild(program, job, on), startChild(program, job, on)];
  await Promise.all(children.map(({ ready }) => ready));

  const anybody = (): Child => {
    const alive = children.filter(({ isAlive }) => isAlive);
    return alive[Math.floor(random() * alive.length)] ?? children[0]!;
  };

  function give(message: Message): void {
    if (closed || message.ended !== undefined) return;
    message.by = anybody();
    const { id, key, text, executionId } = message;
    message.by.tell(executionId === undefined ? { do: "send", id, key, text } : { do: "follow", id, executionId });
  }

  const giveLater = (message: Message) => void setTimeout(() => give(message), AGAIN_MS);

  function hear(said: Said, child: Child): void {
    if (said.said === "ready") return;
    const message = messages.get(said.id)!;
    if (said.said === "accepted") {
      if ((message.executionId ??= said.executionId) !== said.executionId) wrong.push(`${said.id} has two turns`);
      return;
    }
    if (message.by !== child) return;
    if (said.said === "refused") {
      if (!AGAIN.has(said.code)) wrong.push(`${said.id} was refused with ${said.code}`);
      return giveLater(message);
    }
    if (said.outcome === "waiting") {
      anybody().tell({ do: "approve", key: message.key });
      return giveLater(message);
    }
    if (ELSEWHERE.has(said.outcome)) return giveLater(message);
    message.ended = said.outcome;
    if (said.outcome !== "completed") wrong.push(`${said.id} ended as ${said.outcome}`);
  }

  const open = () => [...messages.values()].filter(({ ended }) => ended === undefined);
  let sent = 0;
  return {
    children,
    wrong,
    get messages() {
      return [...messages.values()];
    },
    send(key, text) {
      const message: Message = { id: `m${sent++}`, key, text, by: anybody(), executionId: undefined, ended: undefined };
      messages.set(message.id, message);
      give(message);
    },
    async kill(slot) {
      const old = children[slot]!;
      await old.kill();
      children[slot] = startChild(program, job, on);
      for (const message of open()) if (message.by === old) give(message);
    },
    async settled(withinMs) {
      await eventually(() => open().length === 0, "every turn ends", withinMs).catch(() => undefined);
      return open().map(({ id, key, executionId }) => `${id} of ${key}, ${executionId ?? "never acknowledged"}`);
    },
    async close() {
      closed = true;
      await Promise.all(children.map((child) => child.kill()));
    },
  };
}
