import { createConnection } from "node:net";
import { HebraError } from "@hebra/core";
import type { PgClient, PgPool, QueryConfig } from "./pg-client.ts";

/** How long the server's own limit goes before the client's, and how long a cancelled statement may take to end. */
const GRACE_MS = 100;
const CANCEL_MS = 1_000;

/** What a `pg` client knows of its own connection, for a request to cancel. Other clients may know less. */
interface Known {
  processID?: number | null;
  secretKey?: number | Buffer | null;
  host?: string;
  port?: number;
}

/**
 * A connection of the pool, waited for no longer than `limitMs`.
 *
 * @throws HebraError `STORE_BUSY`
 */
export async function connectWithin(pool: PgPool, limitMs: number): Promise<PgClient> {
  const connecting = pool.connect();
  const late = () => connecting.then((client) => client.release(), ignore);
  return withLimit(connecting, limitMs, async () => {
    void late();
    throw new HebraError(
      "STORE_BUSY",
      `No connection to PostgreSQL became free within ${limitMs} ms: all of the pool are in use, or the server accepts none. Nothing was written; repeat the call, or raise \`poolSize\` or \`busyMs\`.`,
    );
  });
}

/**
 * Runs one statement for about `limitMs`, then cancels it. The server's `lock_timeout` cannot do this: a statement
 * waits for a table's lock while it is planned, before anything in it runs. A connection's settings are its owner's.
 *
 * @throws HebraError `UNREACHABLE` when the server does not even answer the cancellation
 */
export async function queryWithin(
  client: PgClient,
  config: QueryConfig,
  limitMs: number,
): Promise<{ rows: unknown[][] }> {
  const running = client.query(config);
  return withLimit(running, limitMs + GRACE_MS, async () => {
    cancel(client as Known);
    return withLimit(running, CANCEL_MS, async () => {
      throw new HebraError(
        "UNREACHABLE",
        `PostgreSQL did not answer within ${limitMs} ms. Whether the last write landed is unknown; it can be repeated.`,
      );
    });
  });
}

/** The work's result, or that of `onLimit` once the time is over; the work may then fail without anybody to tell. */
async function withLimit<T>(work: Promise<T>, limitMs: number, onLimit: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<"over">((resolve) => (timer = setTimeout(resolve, limitMs, "over")));
  try {
    const first = await Promise.race([work.then((value) => ({ value })), over]);
    return first === "over" ? await onLimit() : first.value;
  } finally {
    clearTimeout(timer);
  }
}

const ignore = () => undefined;

/**
 * Sends a CancelRequest (https://www.postgresql.org/docs/current/protocol-message-formats.html) on a connection of its
 * own, which needs no login and no place in the pool. As in libpq before 17 it is never encrypted; a server that does
 * not take it leaves the statement to its own end.
 */
function cancel({ processID, secretKey, host, port }: Known): void {
  if (typeof processID !== "number" || typeof secretKey !== "number" || host === undefined || port === undefined)
    return;
  const request = Buffer.alloc(16);
  request.writeInt32BE(16, 0);
  request.writeInt32BE(80_877_102, 4);
  request.writeInt32BE(processID, 8);
  request.writeInt32BE(secretKey, 12);
  const socket = host.startsWith("/") ? createConnection(`${host}/.s.PGSQL.${port}`) : createConnection({ host, port });
  socket.setTimeout(CANCEL_MS, () => socket.destroy());
  socket.on("error", ignore);
  socket.end(request);
}
