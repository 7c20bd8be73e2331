import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { createIdGenerator, HebraError, silentLogger, systemClock, type Clock, type Logger } from "@hebra/core";
import type { Bus } from "@hebra/bus";
import type { Lease, LockManager } from "@hebra/lock";
import type { ThreadStore } from "../../store/store.ts";
import { openBus, openLocks, openStore, parseRuntimeConfig, replyBytes } from "../config.ts";
import type { ParsedConfig } from "../config/schema.ts";
import { phaseControl } from "../phase.ts";
import { presences, someoneLives } from "../presence.ts";
import { exportTo, tallyOf, withoutPhase, type Tally } from "../to-local/copy.ts";
import { openJournal, type MoveJournal } from "../to-local/journal.ts";
import { createSteps, type Steps } from "../to-local/steps.ts";
import { onlyMove } from "../to-local/only-move.ts";
import { copyOver, removeCopies, verifyThere } from "./copy-over.ts";
import { publishLeft } from "./publish-left.ts";
import { quiesce } from "./quiesce.ts";
import type { MoveToSharedOptions, MoveToSharedReport } from "./types.ts";

const EXPORT = "threads.jsonl";

/** What the steps work with. */
interface Move {
  config: ParsedConfig;
  path: string;
  /** The store is a file that the processes of one host share: it stays where it is. */
  stays: boolean;
  steps: Steps;
  journal: MoveJournal;
  source: ThreadStore;
  target: ThreadStore;
  bus: Bus;
  locks: LockManager;
  clock: Clock;
  logger: Logger;
}

/**
 * Moves the conversations of a local process to shared backends: the intake is paused, running turns finish, the store
 * is copied with its history and compared, and what still waits is given to the shared bus. Nothing is lost and each
 * conversation keeps its order. You can interrupt it at any point, also by a crash, and repeat it.
 *
 * @throws HebraError `INVALID_OPTIONS`, `UNSUPPORTED` for what cannot be moved; `TIMEOUT`, `ABORTED`: repeat it;
 * `IMPORT_CONFLICT` when the shared store has other conversations under the same keys; `DIGEST_MISMATCH` when the copy
 * differs: nothing was switched; and what bus, locks and stores throw
 */
export async function moveToShared(options: MoveToSharedOptions): Promise<MoveToSharedReport> {
  const { clock = systemClock, logger = silentLogger, drainMs = 60_000, deadlineMs = 300_000, signal } = options;
  const steps = createSteps({ clock, deadlineMs, signal, onProgress: options.onProgress ?? (() => {}) });
  const closers: (() => Promise<void>)[] = [];
  try {
    const move = await open({ ...options, clock, logger }, steps, closers);
    const { journal, source, target, stays } = move;
    await steps.run("check", () => check(move));
    let tally = savedTally(journal);
    if (!journal.has("switched")) {
      await quiesce({ steps, source, clock, drainMs, signal });
      tally = stays ? await tallyOf(withoutPhase(source)) : await copy(move);
      await steps.run("switch", () => switchOver(move, tally!));
    }
    let published: MoveToSharedReport["published"] = { woken: 0, unsent: 0, carried: 0 };
    await steps.run("publish", async () => {
      if (journal.has("done")) return "it was published before";
      published = await publishLeft({
        ...move,
        storesIntake: move.config.intake !== "bus",
        maxReplyBytes: replyBytes(move.config) ?? 65_536,
      });
      await phaseControl(target, clock).write("open");
      return `${published.woken} conversations continue, ${published.unsent} have unsent replies, ${published.carried} messages were kept beside them`;
    });
    await steps.run("verify", async () => {
      const count = stays ? tally!.contexts : await verifyThere(target, journal.file(EXPORT));
      journal.mark("done");
      return `${count} conversations are in the shared store`;
    });
    return { ms: steps.ms(), steps: steps.done, published, ...tally! };
  } finally {
    for (const close of closers.reverse())
      await close().catch((error: unknown) => logger.debug("A part could not be closed.", { error }));
  }
}

/**
 * Undoes a move to shared backends that has not switched yet: unchanged copies are removed from the shared store, and
 * the local intake opens again. Restart the local process.
 *
 * @throws HebraError `UNSUPPORTED` once the move has switched: repeat it instead, or use `moveToLocal`
 */
export async function undoMoveToShared(
  options: Pick<MoveToSharedOptions, "config" | "path" | "directory" | "clock">,
): Promise<void> {
  const { clock = systemClock } = options;
  const journal = openJournal(options.directory);
  if (journal.has("switched"))
    throw new HebraError(
      "UNSUPPORTED",
      "The conversations were moved already. Run the move again to finish it; `hebra to-local` brings them back.",
    );
  const config = parseRuntimeConfig(options.config);
  const source = await openSource(options.path ?? config.store.path);
  try {
    if (journal.has("copying")) {
      const target = await openStore(config.store);
      try {
        await removeCopies(target, journal.file(EXPORT));
        await phaseControl(target, clock).write("open");
      } finally {
        await target.close();
      }
    }
    await phaseControl(source, clock).write("open");
  } finally {
    await source.close();
  }
}

async function openSource(path: string): Promise<ThreadStore> {
  if (!existsSync(path))
    throw new HebraError("INVALID_OPTIONS", `There is no local store ${path}. Name its file with \`path\`.`);
  return openStore(parseRuntimeConfig({ store: { backend: "sqlite", path } }).store);
}

async function open(
  options: MoveToSharedOptions & { clock: Clock; logger: Logger },
  steps: Steps,
  closers: (() => Promise<void>)[],
): Promise<Move> {
  const { clock, logger } = options;
  const config = parseRuntimeConfig(options.config);
  const path = options.path ?? config.store.path;
  const { backend } = config.store;
  if (config.bus.backend === "local" || config.locks.backend === "local" || backend === "memory")
    throw new HebraError(
      "INVALID_OPTIONS",
      "The configuration has to name shared backends: `bus`, `locks` and `store` of the deployment to be.",
    );
  const isFile = backend === "sqlite" || backend === "local";
  const stays = isFile && resolve(config.store.path) === resolve(path);
  if (isFile && !stays)
    throw new HebraError(
      "UNSUPPORTED",
      "A SQLite file that several processes share stays where it is. Name the same file in the configuration.",
    );
  const opened = <T extends { close(): Promise<void> }>(one: T): T => {
    closers.push(() => one.close());
    return one;
  };
  const journal = openJournal(options.directory);
  const source = opened(await openSource(path));
  const bus = opened((await openBus(config.bus, { clock }))!);
  const locks = opened((await openLocks(config.locks))!);
  const target = stays ? source : opened(await openStore(config.store));
  const alone: Lease = await onlyMove(locks, "to-shared");
  closers.push(() => alone.release());
  return { config, path, stays, steps, journal, source, target, bus, locks, clock, logger };
}

async function check({ bus, locks, source, journal }: Move): Promise<string> {
  await bus.stats();
  if (journal.has("switched")) return "the conversations were copied before";
  if (await someoneLives(presences.workers, locks))
    throw new HebraError(
      "UNSUPPORTED",
      "Workers of the shared deployment are running. End them, and run this again: they would work on half of a copy.",
    );
  const { contexts } = await tallyOf(withoutPhase(source));
  return `${contexts} conversations are in the local store`;
}

async function copy({ steps, journal, source, target, clock }: Move): Promise<Tally> {
  const counting = (say: (text: string) => void) => (contexts: number) => {
    if (contexts % 100 === 0 && contexts > 0) say(`${contexts} conversations`);
  };
  const file = journal.file(EXPORT);
  await steps.run("export", async (say) => {
    await exportTo(withoutPhase(source), file, counting(say));
    return file;
  });
  let tally: Tally | undefined;
  await steps.run("import", async (say) => {
    // Processes of the shared deployment that start meanwhile neither take in nor work.
    journal.mark("copying");
    await phaseControl(target, clock).write("stopped");
    tally = await copyOver(source, target, file, counting(say));
    journal.write("tally.json", JSON.stringify(tally));
    return `${tally.contexts} conversations, digest ${tally.digest.slice(0, 12)}, the same on both sides`;
  });
  return tally!;
}

/** From here on the shared store is the one that counts: the local one says so to whoever starts on it. */
async function switchOver({ journal, source, target, stays, clock }: Move, tally: Tally): Promise<string> {
  const id = journal.read("id") ?? createIdGenerator(clock)();
  journal.write("id", id);
  journal.write("tally.json", JSON.stringify(tally));
  await phaseControl(target, clock).write("stopped", id);
  if (!stays) await phaseControl(source, clock).write("stopped", id);
  journal.mark("switched");
  return stays ? "the store stays where it is" : "the local store is marked as moved";
}

function savedTally(journal: MoveJournal): Tally | undefined {
  const text = journal.read("tally.json");
  return text === undefined ? undefined : (JSON.parse(text) as Tally);
}
