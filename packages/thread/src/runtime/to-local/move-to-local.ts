import { existsSync, rmSync } from "node:fs";
import { HebraError, silentLogger, sleep, systemClock } from "@hebra/core";
import type { Bus } from "@hebra/bus";
import type { LockManager } from "@hebra/lock";
import type { ThreadStore } from "../../store/store.ts";
import { carriedMessages } from "../carried.ts";
import { openBus, openLocks, openStore, parseRuntimeConfig } from "../config.ts";
import { phaseControl } from "../phase.ts";
import { everyoneLeaves, presences, someoneLives } from "../presence.ts";
import { defaultRouter } from "../route.ts";
import { exportTo, importInto, tallyOf, withoutPhase, type Tally } from "./copy.ts";
import { openJournal, type MoveJournal } from "./journal.ts";
import { localConfig } from "./local-config.ts";
import { moveInbound, moveOutbound, moveScheduled, type Movers } from "./mailboxes.ts";
import { onlyMove } from "./only-move.ts";
import { assertFree, setAside } from "./set-aside.ts";
import { createSteps, type Steps } from "./steps.ts";
import type { MoveReport, MoveToLocalOptions } from "./types.ts";
import { verifyEmpty, verifyMoved } from "./verify.ts";

/** Milliseconds in which every process has looked at the phase, and shown or left its presence. */
const ALL_HAVE_LOOKED_MS = 3_000;
/**
 * Milliseconds that a process may take to finish what it holds, and that the presence of one that died may outlive it.
 */
const ALL_HAVE_LEFT_MS = 75_000;
const LOOK_EVERY_MS = 200;
/** Milliseconds without any change after which nobody seems to work on what is left. */
const STILL_MS = 5_000;

/**
 * Brings a distributed deployment back into one process: the intake is paused, what runs is finished, what waits is
 * moved into
 * the store, the store into a file, and the configuration switched. Nothing is lost and the order of each conversation
 * is kept.
 * It can be broken off at any point, also by a crash, and repeated.
 *
 * @throws HebraError `UNSUPPORTED`, `INVALID_OPTIONS` for what cannot be moved; `TIMEOUT`, `ABORTED`: repeat it;
 * `DIGEST_MISMATCH` when the copy differs: nothing was switched; and what bus, locks and stores throw
 */
export async function moveToLocal(options: MoveToLocalOptions): Promise<MoveReport> {
  const {
    clock = systemClock,
    logger = silentLogger,
    drainMs = 60_000,
    deadlineMs = 300_000,
    signal,
    path,
    onProgress = () => {},
  } = options;
  const steps = createSteps({ clock, deadlineMs, signal, onProgress });
  const config = parseRuntimeConfig(options.config);
  const stays = config.store.backend === "sqlite" || config.store.backend === "local";
  const target = stays ? config.store.path : path;
  const closers: (() => Promise<void>)[] = [];
  const opened = <T extends { close(): Promise<void> }>(one: T): T => {
    closers.push(() => one.close());
    return one;
  };
  const journal = openJournal(options.directory);
  try {
    if (config.bus.backend === "local")
      throw new HebraError("INVALID_OPTIONS", "The bus of this configuration is local already.");
    if (config.store.backend === "memory")
      throw new HebraError(
        "UNSUPPORTED",
        "A store in memory ends with its process: there is nothing to move. Drain, and start again with a local configuration.",
      );
    if (!stays && !journal.has("placed")) await assertFree(target, openFile, clock);
    const bus = opened((await openBus(config.bus, { clock }))!);
    const locks = opened((await openLocks(config.locks))!);
    const source = opened(await openStore(config.store));
    const alone = await onlyMove(locks, "to-local");
    closers.push(() => alone.release());
    const into =
      journal.has("switched") && !stays
        ? opened(await openStore({ ...config.store, backend: "sqlite", path: target }))
        : source;
    const movers: Movers = {
      bus,
      store: into,
      threads: options.threads,
      route: options.route ?? defaultRouter(options.threads),
      carried: carriedMessages(into, clock, logger),
      journal,
      clock,
      logger,
    };
    const move = { ...options, steps, bus, locks, source, journal, movers, target, stays, drainMs };

    await steps.run("check", () => check(move));
    await quiesce(move);
    await steps.run("move", (say) => empty(move, say));
    const tally = stays ? await tallyOf(source) : await copy(move);
    await steps.run("switch", async () => {
      await options.switchOver(localConfig(options.config, target));
      journal.mark("switched");
      return "the configuration is local";
    });
    await steps.run("verify", () => verify(move, tally));
    journal.mark("done");
    return report(steps, journal, tally, (await bus.stats()).dead);
  } finally {
    for (const close of closers.reverse())
      await close().catch((error: unknown) => logger.debug("A part could not be closed.", { error }));
  }
}

/**
 * Takes back the pause of a move that was broken off before it moved anything. Processes that were stopped must be
 * started again.
 *
 * @throws HebraError `UNSUPPORTED` once something was moved: repeat the move instead
 */
export async function undoMoveToLocal({
  config,
  directory,
  clock = systemClock,
}: Pick<MoveToLocalOptions, "config" | "directory" | "clock">): Promise<void> {
  const journal = openJournal(directory);
  const moved = journal.noted().length;
  if (moved > 0 || journal.has("switched"))
    throw new HebraError(
      "UNSUPPORTED",
      `${moved} messages were moved already. Run the move again: it goes on where it stopped.`,
      { details: { moved } },
    );
  const store = await openStore(parseRuntimeConfig(config).store);
  try {
    await phaseControl(store, clock).write("open");
  } finally {
    await store.close();
  }
}

/** What the steps work with. */
interface Move extends MoveToLocalOptions {
  steps: Steps;
  bus: Bus;
  locks: LockManager;
  source: ThreadStore;
  journal: MoveJournal;
  movers: Movers;
  target: string;
  /** The store is a file already. */
  stays: boolean;
  drainMs: number;
}

async function check({ bus, source }: Move): Promise<string> {
  const { inbound, outbound, dead } = await bus.stats();
  await source.load("default", { key: "hebra:probe" });
  const parked = inbound.parked + outbound.parked;
  if (parked > 0)
    throw new HebraError(
      "UNSUPPORTED",
      `${parked} conversations stand still behind a parked message. Replay or discard their dead letters first: hebra dead-letters.`,
      { details: { parked } },
    );
  return `${inbound.depth} messages and ${outbound.depth} replies wait, ${inbound.scheduled} are for later, ${dead} are dead letters`;
}

/** From life as it is to nobody doing anything. Until all are stopped it can be taken back. */
async function quiesce(move: Move): Promise<void> {
  const { steps, locks, source, clock = systemClock, signal } = move;
  const phase = phaseControl(source, clock);
  const before = await phase.read();
  let stopped = before.phase === "stopped";
  try {
    await steps.run("pause", async () => {
      if (stopped) return "it was paused before";
      await phase.write("paused");
      await allLeave(move, presences.intakes, "still takes in messages");
      return "nothing new is taken in";
    });
    await steps.run("drain", async (say) => (stopped ? "it was drained before" : drain(move, say)));
    await steps.run("stop", async () => {
      const since = stopped ? before.at : clock.now();
      if (!stopped) {
        stopped = true;
        await phase.write("stopped");
      }
      await allLeave(move, presences.workers, "still works");
      await allLeave(move, presences.senders, "still sends replies");
      // A look may have been under way before the phase was written.
      await sleep(clock, Math.min(ALL_HAVE_LOOKED_MS, Math.max(0, since + ALL_HAVE_LOOKED_MS - clock.now())), signal);
      await everyoneLeaves(presences.workers, locks, steps.left(), signal);
      return "nobody works";
    });
  } catch (error) {
    // Nothing was moved: life goes on as it was.
    if (!stopped) await phase.write("open").catch(() => undefined);
    throw error;
  }
}

async function allLeave(
  { locks, steps, clock = systemClock, signal }: Move,
  presence: string,
  what: string,
): Promise<void> {
  const gone = () => everyoneLeaves(presence, locks, Math.min(ALL_HAVE_LEFT_MS, steps.left()), signal);
  let left = await gone();
  if (left && presence === presences.intakes) {
    await sleep(clock, ALL_HAVE_LOOKED_MS, signal);
    left = await gone();
  }
  if (!left)
    throw new HebraError("TIMEOUT", `A process ${what} after ${ALL_HAVE_LEFT_MS} ms. End it, and run this again.`);
}

/** Lets those who live finish what there is, as long as they get on with it. */
async function drain(
  { bus, locks, drainMs, clock = systemClock, signal }: Move,
  say: (text: string) => void,
): Promise<string> {
  const startedAt = clock.monotonic();
  let seen = "";
  let changedAt = startedAt;
  for (;;) {
    const { inbound, outbound } = await bus.stats();
    const busy = inbound.depth + outbound.depth;
    const now = clock.monotonic();
    if (busy === 0) return "the bus is empty, but for what is for later";
    const figures = `${inbound.depth} messages and ${outbound.depth} replies wait`;
    if (figures !== seen) {
      [seen, changedAt] = [figures, now];
      say(figures);
    }
    const still =
      now - changedAt > STILL_MS && !(inbound.inFlight > 0 && (await someoneLives(presences.workers, locks)));
    if (still || now - startedAt > drainMs) return `${figures}: they are moved`;
    await sleep(clock, LOOK_EVERY_MS, signal);
  }
}

/** Takes everything off the bus. */
async function empty({ bus, movers, journal, steps, signal }: Move, say: (text: string) => void): Promise<string> {
  const late = AbortSignal.any([
    ...(signal === undefined ? [] : [signal]),
    AbortSignal.timeout(Math.ceil(steps.left())),
  ]);
  const isOver = (left: (stats: Awaited<ReturnType<Bus["stats"]>>) => number) => async () => {
    const stats = await bus.stats();
    if (stats.inbound.delayed + stats.outbound.delayed > 0) await bus.retryNow();
    const count = left(stats);
    if (count > 0) say(`${count} are left`);
    return count === 0;
  };
  await moveScheduled(movers);
  await moveInbound(
    movers,
    isOver(({ inbound }) => inbound.depth + inbound.inFlight),
    late,
  );
  steps.left();
  await moveScheduled(movers);
  for (const gatewayId of (await bus.stats()).gateways) {
    await moveOutbound(
      movers,
      gatewayId,
      isOver(({ gateways, outbound }) => (gateways.includes(gatewayId) ? outbound.depth : 0)),
      late,
    );
    steps.left();
  }
  await verifyEmpty(bus);
  const letters = await keepDeadLetters(bus, journal);
  const { queued, scheduled, replies, others } = movedBy(journal);
  return `${queued} messages are queued in the store, ${scheduled} kept for later, ${replies} replies and ${others} others brought along; ${letters} dead letters are kept in ${journal.file("dead-letters.jsonl")}`;
}

async function keepDeadLetters(bus: Bus, journal: MoveJournal): Promise<number> {
  const lines: string[] = [];
  for (let before: string | undefined; ;) {
    const { letters, cursor } = await bus.deadLetters.list({ limit: 500, ...(before === undefined ? {} : { before }) });
    lines.push(...letters.map((letter) => `${JSON.stringify(letter)}\n`));
    if (cursor === undefined) break;
    before = cursor;
  }
  journal.write("dead-letters.jsonl", lines.join(""));
  return lines.length;
}

/**
 * Copies the store into the file, and compares both sides. What a run before has copied is taken as it is, if nothing
 * has changed since.
 */
async function copy({ source, journal, steps, target, movers }: Move): Promise<Tally> {
  if (journal.has("switched")) return JSON.parse(journal.read("tally.json")!) as Tally;
  const from = withoutPhase(source);
  const file = journal.file("threads.jsonl");
  const counting = (say: (text: string) => void) => (contexts: number) => {
    if (contexts % 100 === 0 && contexts > 0) say(`${contexts} conversations`);
  };
  await steps.run("export", async (say) => {
    await exportTo(from, file, counting(say));
    return file;
  });
  let tally: Tally | undefined;
  await steps.run("import", async (say) => {
    // A copy that a run before has placed, and that nothing was switched to: what has happened since is not in it.
    if (journal.has("placed")) for (const suffix of ["", "-wal", "-shm"]) rmSync(target + suffix, { force: true });
    else if (existsSync(target)) setAside(target, movers.clock);
    await importInto(target, file, () => journal.mark("placed"), counting(say));
    const copied = await openFile(target);
    try {
      const [there, here] = [await tallyOf(from), await tallyOf(copied)];
      if (there.digest !== here.digest || there.contexts !== here.contexts) {
        throw new HebraError(
          "DIGEST_MISMATCH",
          `The copy has ${here.contexts} conversations with the digest ${here.digest}, the store ${there.contexts} with ${there.digest}: something wrote meanwhile. Nothing was switched; end what writes, and run this again.`,
        );
      }
      await verifyMoved(copied, carriedMessages(copied, movers.clock, movers.logger), journal.noted());
      tally = here;
    } finally {
      await copied.close();
    }
    journal.write("tally.json", JSON.stringify(tally));
    return `${tally.contexts} conversations, digest ${tally.digest.slice(0, 12)}, the same on both sides`;
  });
  return tally!;
}

const openFile = (path: string) => openStore(parseRuntimeConfig({ store: { backend: "sqlite", path } }).store);

/** That the configuration as it is now leads to what was copied, and that nothing has reached the old bus. */
async function verify(
  { bus, source, target, stays, movers, journal, clock = systemClock }: Move,
  tally: Tally,
): Promise<string> {
  await verifyEmpty(bus);
  const store = await openStore(parseRuntimeConfig(localConfig({}, target)).store);
  try {
    if (stays) {
      await verifyMoved(store, carriedMessages(store, movers.clock, movers.logger), journal.noted());
      // Nobody shares it any more: whoever starts on it now is the local process.
      await phaseControl(source, clock).write("open");
      return "the store has stayed where it is, with everything that waited";
    }
    const found = await tallyOf(store);
    if (found.contexts < tally.contexts)
      throw new HebraError(
        "DIGEST_MISMATCH",
        `The file ${target} holds ${found.contexts} conversations of ${tally.contexts}.`,
      );
    return `${found.contexts} conversations in ${target}${found.digest === tally.digest ? ", as they were copied" : ", in use since"}`;
  } finally {
    await store.close();
  }
}

function movedBy(journal: MoveJournal): MoveReport["moved"] {
  const count = (kind: string) => journal.noted().filter((message) => message.kind === kind).length;
  return { queued: count("queued"), scheduled: count("scheduled"), replies: count("reply"), others: count("other") };
}

function report(
  steps: Steps,
  journal: MoveJournal,
  { contexts, counts, digest }: Tally,
  deadLetters: number,
): MoveReport {
  return { ms: steps.ms(), steps: steps.done, moved: movedBy(journal), deadLetters, contexts, counts, digest };
}
