import type { LegacyChunk, Loose, ThreadStreamOptions } from "../call/types.ts";
import type { ThreadEvent } from "@hebra/thread";
import { createChunkMapper, type LegacyChunkOptions } from "./chunks.ts";

/** Writes a turn's chunks where its caller reads them. */
export interface ChunkWriter {
  accept(event: ThreadEvent): Promise<void>;
  /** Writes a chunk of a reactor's own. */
  write(this: void, chunk: LegacyChunk): Promise<void>;
  close(): Promise<void>;
}

/** A reader that has gone away must not end the turn: from then on nothing more is written. */
export function createChunkWriter(
  writable: WritableStream<Loose>,
  options: LegacyChunkOptions & Pick<ThreadStreamOptions, "preventClose">,
): ChunkWriter {
  const mapper = createChunkMapper({ announce: options.announce ?? "always", sendFinish: options.sendFinish ?? true });
  const writer = writable.getWriter();
  let gone = false;
  const attempt = async (work: () => Promise<void>) => {
    if (gone) return;
    try {
      await work();
    } catch {
      gone = true;
    }
  };
  writer.closed.catch(() => (gone = true));
  const write = (chunk: LegacyChunk) => attempt(() => writer.write(chunk));
  return {
    write,
    async accept(event) {
      for (const chunk of mapper.accept(event)) await write(chunk);
    },
    async close() {
      if (options.preventClose !== true) await attempt(() => writer.close());
      writer.releaseLock();
    },
  };
}
