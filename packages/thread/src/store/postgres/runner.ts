import type { TableBackend } from "../table-store.ts";
import type { Verb } from "../verbs/op.ts";
import { isRepeatable, wrapped } from "./errors.ts";
import type { PostgresPort, PostgresSession } from "./port.ts";
import { createStatements, readResult, writeResult } from "./statements.ts";

/** How often work that another got in the way of is begun anew. */
const ATTEMPTS = 5;

/** Runs verbs: each op is one statement. */
export function createRunner(
  port: PostgresPort,
  schema: string,
  channel: string,
  busyMs: number,
): Pick<TableBackend, "read" | "snapshot" | "write" | "step"> {
  const statements = createStatements(schema, channel, busyMs);

  const run = async <T>(session: PostgresSession, verb: Verb<T>): Promise<T> => {
    let step = verb.next([]);
    while (step.done !== true) {
      const op = step.value;
      const { text, values, name } = op.op === "read" ? statements.read(op) : statements.write(op);
      const rows = await session.query(text, values, name);
      step = verb.next(op.op === "read" ? readResult(op, rows) : writeResult(op, rows));
    }
    return step.value;
  };

  /** A verb that failed because of another's write is begun anew and sees that write. */
  const again = async <T>(work: () => Promise<T>): Promise<T> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        if (attempt >= ATTEMPTS || !isRepeatable(error)) throw wrapped(error);
      }
    }
  };

  return {
    read: (verb) => again(() => run(port, verb())),
    snapshot: (verb) => again(() => port.transaction("snapshot", (session) => run(session, verb()))),
    write: (verb) => again(() => port.transaction("write", (session) => run(session, verb()))),
    step: (verb) => again(() => run(port, verb())),
  };
}
