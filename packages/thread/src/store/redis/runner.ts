import { HebraError } from "@hebra/core";
import type { TableBackend } from "../table-store.ts";
import type { Read, Rows, Verb, Write } from "../verbs/op.ts";
import type { RedisCommands } from "./commands.ts";
import { servedBy, type Keys } from "./layout.ts";
import type { Reader, Session } from "./reader.ts";
import type { Routes } from "./routes.ts";
import { runWrite } from "./scripts.ts";
import { planWrite, threadOf } from "./writer.ts";

/** How often a verb that another got in the way of is begun anew. */
const ATTEMPTS = 100;

/** Thrown to begin a verb anew. */
const AGAIN = new Error("Another write came in between.");

type Mode = "read" | "snapshot" | "write" | "step";

/**
 * Runs verbs. A thread's revision goes up with every write, so that two looks at it tell whether what was read between
 * them
 * is of one moment, and the script that writes can tell whether anything was written since.
 */
export function createRunner(
  commands: RedisCommands,
  keys: Keys,
  reader: Reader,
  routes: Routes,
  channel: string,
): Pick<TableBackend, Mode> {
  /** A row written in one command cannot be seen half. */
  const isOneCommand = ({ finds: [find, ...others] }: Read) =>
    others.length === 0 &&
    servedBy(find!.table, find!.table.accesses[find!.access]!) === "key" &&
    find!.anyOf === undefined;

  const verify = async ({ revisions }: Session) => {
    const now = await Promise.all(
      [...revisions].map(async ([tag, before]) => (await reader.revision(tag)) === (await before)),
    );
    if (now.includes(false)) throw AGAIN;
  };

  const perform = async (write: Write, session: Session, mode: Mode): Promise<Rows> => {
    const thread = await threadOf(write, routes);
    if (thread === undefined) return [];
    const tag = keys.tag(thread.tenant, thread.threadId);
    await routes.prepare(write);
    const revision = mode === "write" ? ((await session.revisions.get(tag)) ?? (await reader.revision(tag))) : "";
    const plan = planWrite(write, tag, keys, revision, channel);
    const [outcome, returned] = await runWrite(commands, plan.keys, plan.args);
    if (outcome === "moved" || outcome === "taken") throw AGAIN;
    if (write.drops !== undefined) await routes.forget(write.drops, thread.threadId);
    return outcome === "ok" && write.when !== undefined ? [[Number(returned)]] : [];
  };

  const attempt = async <T>(verb: Verb<T>, mode: Mode): Promise<T> => {
    const session: Session = { revisions: new Map(), tag: undefined };
    const whole = mode === "snapshot" || mode === "write";
    let written = false;
    let step = verb.next([]);
    while (step.done !== true) {
      const op = step.value;
      if (op.op === "write") {
        step = verb.next([await perform(op, session, mode)]);
        written = true;
        continue;
      }
      const rows = await reader.read(op, session);
      if (!whole) {
        if (!isOneCommand(op)) await verify(session);
        session.revisions.clear();
      }
      step = verb.next(rows);
    }
    if (whole && !written) await verify(session);
    return step.value;
  };

  const run =
    (mode: Mode) =>
    async <T>(verb: () => Verb<T>): Promise<T> => {
      for (let count = 0; count < ATTEMPTS; count++) {
        try {
          return await attempt(verb(), mode);
        } catch (error) {
          if (error !== AGAIN) throw error;
        }
      }
      throw new HebraError(
        "VERSION_CONFLICT",
        "Others kept writing to this thread, or a row of the same key is there already. Load the context again and repeat.",
      );
    };

  return { read: run("read"), snapshot: run("snapshot"), write: run("write"), step: run("step") };
}
