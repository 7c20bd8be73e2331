import { appendFile, mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";

/** Which contexts of a plan are done. The target is the truth; this only saves work. */
export interface RunJournal {
  finished(planHash: string): Promise<ReadonlySet<string>>;
  finish(planHash: string, contextId: string, digest: string): Promise<void>;
}

/** Remembers nothing: every context is offered to the target again, which knows it. */
export const noJournal: RunJournal = { finished: () => Promise.resolve(new Set()), finish: () => Promise.resolve() };

/**
 * Remembers in a file of JSON lines. A last line that a crash cut off is overlooked: its context is offered once more.
 */
export function fileJournal(path: string): RunJournal {
  return {
    async finished(planHash) {
      const done = new Set<string>();
      const content = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return "";
        throw error;
      });
      for (const line of content.split("\n")) {
        try {
          const entry = JSON.parse(line) as { plan: string; contextId: string };
          if (entry.plan === planHash) done.add(entry.contextId);
        } catch {
          continue;
        }
      }
      return done;
    },
    async finish(plan, contextId, digest) {
      await mkdir(dirname(path), { recursive: true });
      // A line of its own even after one that was cut off.
      await appendFile(path, `\n${JSON.stringify({ plan, contextId, digest })}`);
    },
  };
}
