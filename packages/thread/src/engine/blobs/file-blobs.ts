import { createHash, randomUUID } from "node:crypto";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parseOptions } from "@hebra/core";
import * as z from "zod";
import type { BlobName, BlobStore } from "./blob-store.ts";

/** Options of `fileBlobs`. */
export interface FileBlobsOptions {
  /** The directory that holds the files; made when it is missing. Every process that runs turns has to see it. */
  directory: string;
}

const schema = z.strictObject({ directory: z.string().min(1) });

/**
 * Keeps long results as files, for one host or a shared disk: a directory for each tenant and context. A file is whole
 * and on disk before its row refers to it.
 *
 * @throws HebraError `INVALID_OPTIONS`
 *
 * @example
 * ```ts
 * import { createEngine, fileBlobs, type ThreadDefinition } from "@hebra/thread";
 * import { sqliteStore } from "@hebra/thread/store/sqlite";
 *
 * export async function start(support: ThreadDefinition) {
 *   const store = await sqliteStore({ path: "data/threads.db" });
 *   return createEngine({ store, threads: [support], blobs: fileBlobs({ directory: "data/blobs" }) });
 * }
 * ```
 */
export function fileBlobs(options: FileBlobsOptions): BlobStore {
  const { directory } = parseOptions("fileBlobs", schema, options);
  const contextOf = (tenant: string, contextId: string) => join(directory, safe(tenant), safe(contextId));
  const fileOf = ({ tenant, contextId, id }: BlobName) => join(contextOf(tenant, contextId), `${safe(id)}.txt`);
  return {
    async put(name, text) {
      const file = fileOf(name);
      await mkdir(dirname(file), { recursive: true });
      const unfinished = `${file}.${randomUUID()}`;
      try {
        const handle = await open(unfinished, "wx");
        try {
          await handle.writeFile(text);
          await handle.sync();
        } finally {
          await handle.close();
        }
        await rename(unfinished, file);
        await syncDirectory(dirname(file));
      } catch (error) {
        await rm(unfinished, { force: true });
        throw error;
      }
    },
    async get(name) {
      try {
        return await readFile(fileOf(name), "utf8");
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
        throw error;
      }
    },
    deleteContext: (tenant, contextId) => rm(contextOf(tenant, contextId), { recursive: true, force: true }),
  };
}

/** Longer names do not fit a step of a path. */
const LONGEST_NAME = 200;

/** A name as one step of a path: neither a separator nor a dot is left in it. */
function safe(name: string): string {
  const encoded = encodeURIComponent(name).replaceAll(".", "%2E").replaceAll("*", "%2A");
  return encoded.length <= LONGEST_NAME ? encoded : createHash("sha256").update(name).digest("hex");
}

/** So that the file's name outlives a loss of power, where the system can do that. */
async function syncDirectory(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
