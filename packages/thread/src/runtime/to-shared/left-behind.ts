import { existsSync } from "node:fs";
import { errorMessage, HebraError, systemClock } from "@hebra/core";
import type { ThreadStore } from "../../store/store.ts";
import { OWN_TENANT } from "../own-thread.ts";
import { phaseControl } from "../phase.ts";

const PAGE = 500;
const AT_ONCE = 16;

/**
 * Refuses to start on a shared store while a local one beside it holds conversations that the shared one lacks: people
 * would find their history empty. One that was moved here is known by the id of its move, others are compared.
 *
 * @param open - opens the local store
 * @throws HebraError `LOCAL_STORE_LEFT`
 */
export async function assertNothingLeftBehind(
  path: string,
  shared: ThreadStore,
  open: (path: string) => Promise<ThreadStore>,
): Promise<void> {
  if (shared.scope !== "shared" || !existsSync(path)) return;
  let local: ThreadStore;
  try {
    local = await open(path);
  } catch (error) {
    throw leftBehind(`The local store ${path} cannot be read (${errorMessage(error)}).`, path, error);
  }
  try {
    const [here, there] = await Promise.all([local, shared].map((store) => phaseControl(store, systemClock).read()));
    if (here!.moves.some((id) => there!.moves.includes(id))) return;
    const key = await firstMissing(local, shared);
    if (key !== undefined)
      throw leftBehind(
        `The local store ${path} holds conversations that the shared store lacks, ${JSON.stringify(key)} among them.`,
        path,
      );
  } finally {
    await local.close();
  }
}

async function firstMissing(local: ThreadStore, shared: ThreadStore): Promise<string | undefined> {
  for (const tenant of await local.system().tenants()) {
    if (tenant === OWN_TENANT) continue;
    for (let cursor: string | undefined; ;) {
      const page = await local.list(tenant, { limit: PAGE, ...(cursor === undefined ? {} : { cursor }) });
      for (let from = 0; from < page.rows.length; from += AT_ONCE) {
        const some = page.rows.slice(from, from + AT_ONCE);
        const found = await Promise.all(some.map(({ key }) => shared.load(tenant, { key })));
        const missing = found.indexOf(undefined);
        if (missing !== -1) return some[missing]!.key;
      }
      if (page.cursor === undefined) break;
      cursor = page.cursor;
    }
  }
  return undefined;
}

function leftBehind(found: string, path: string, cause?: unknown): HebraError {
  return new HebraError(
    "LOCAL_STORE_LEFT",
    `${found} Move them with \`hebra to-shared\`, or set \`store.ignoreLocal\` to true to start without them.`,
    { details: { path }, ...(cause === undefined ? {} : { cause }) },
  );
}
