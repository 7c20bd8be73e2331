import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

/** A message that has left the old bus, or is about to: it may be noted more than once. */
export interface MovedMessage {
  kind: "queued" | "scheduled" | "reply" | "other";
  tenant: string;
  session: string;
  id: string;
  /** Of a queued one. */
  triggerId?: string;
}

/** A point that a move has passed. */
export type MoveMark = "copying" | "placed" | "switched" | "done";

/** What a move has written down, so that it can be repeated after a crash at any point. */
export interface MoveJournal {
  /** Where copies of what is left behind are put. */
  file(name: string): string;
  /** On disk before it returns. */
  note(messages: readonly MovedMessage[]): void;
  /** Every message once, in the order in which each was noted first. */
  noted(): MovedMessage[];
  /**
   * Whether a point was passed: copying has begun, the copy is in its place, the move has switched, all of it is
   * verified.
   */
  has(mark: MoveMark): boolean;
  mark(mark: MoveMark): void;
  /** A whole file, or none. */
  write(name: string, text: string): void;
  read(name: string): string | undefined;
}

/** Nobody else may read it: messages are in it. */
const PRIVATE_FILE = 0o600;
const PRIVATE_DIRECTORY = 0o700;

export function openJournal(directory: string): MoveJournal {
  mkdirSync(directory, { recursive: true, mode: PRIVATE_DIRECTORY });
  const file = (name: string) => join(directory, name);
  const moved = file("moved.jsonl");
  const journal: MoveJournal = {
    file,
    note(messages) {
      if (messages.length === 0) return;
      const descriptor = openSync(moved, "a", PRIVATE_FILE);
      try {
        writeSync(descriptor, messages.map((message) => `${JSON.stringify(message)}\n`).join(""));
        fsyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
    },
    noted() {
      if (!existsSync(moved)) return [];
      const seen = new Map<string, MovedMessage>();
      for (const line of readFileSync(moved, "utf8").split("\n")) {
        const message = parsed(line);
        if (message === undefined) continue;
        const name = JSON.stringify([message.kind, message.tenant, message.session, message.id]);
        if (!seen.has(name)) seen.set(name, message);
      }
      return [...seen.values()];
    },
    has: (mark) => existsSync(file(mark)),
    mark: (mark) => journal.write(mark, ""),
    read: (name) => (existsSync(file(name)) ? readFileSync(file(name), "utf8") : undefined),
    write(name, text) {
      const temporary = file(`${name}.new`);
      const descriptor = openSync(temporary, "w", PRIVATE_FILE);
      try {
        writeFileSync(descriptor, text);
        fsyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
      renameSync(temporary, file(name));
    },
  };
  return journal;
}

/** A line that a crash has cut off is none: what it was to say is noted again. */
function parsed(line: string): MovedMessage | undefined {
  try {
    return line === "" ? undefined : (JSON.parse(line) as MovedMessage);
  } catch {
    return undefined;
  }
}
