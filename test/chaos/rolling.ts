import { pathToFileURL } from "node:url";
import { setTimeout as wait } from "node:timers/promises";
import type { RuntimeConfig } from "@hebra/thread/runtime";
import type { FaultReport } from "./faults.ts";
import type { Stage } from "./stage.ts";

/** Milliseconds in which every process has looked at the shared format. */
const LOOKED_MS = 3_000;

type Library = typeof import("./library.ts");

/**
 * A rolling deploy and its rollback while users talk: workers of the present release and of the next side by side, then
 * the
 * gateway, then the format is raised, so that messages are written that the present release cannot read; and all the
 * way
 * back. The next release is made of the same sources, with one version of the envelope more.
 */
export async function rollForwardAndBack(stage: Stage): Promise<FaultReport> {
  const { builds, threads, config, redis } = stage;
  const next = (await import(pathToFileURL((await builds.release("next")).library).href)) as Library;
  const openNext = (from: RuntimeConfig) => next.openRuntime(from, { threads });
  const codes: (number | null)[] = [];

  // N beside N-1: one comes, one goes.
  await replaceWorkers(stage, "next", codes);
  await stage.replaceGateway(openNext);
  const { url, namespace } = config.bus!;
  const operator = next.redisBus({ url: url!, namespace: namespace! });
  let newer: number;
  let refused: number;
  try {
    await operator.ready();
    await operator.raiseFormat(2);
    newer = await newerEnvelopes(stage);
    // One of N-1 that starts by mistake is not fit to serve, and takes nothing.
    const mistaken = await stage.startWorker();
    refused = (await mistaken.ready()).ready ? 0 : 1;
    await mistaken.kill();

    // Back: first the format, then the processes. Those of N-1 begin beside those of N, whose last messages they may
    // meet.
    await operator.raiseFormat(1);
    const old = stage.workers.splice(0);
    stage.workers.push(...(await Promise.all(old.map(() => stage.startWorker()))));
    await wait(LOOKED_MS);
    for (const worker of old) codes.push(await worker.stop());
    await stage.replaceGateway(stage.open);
  } finally {
    await operator.close();
  }
  const format = await redis.admin.hget(`${namespace}:cfg`, "format");
  return {
    note: `exit codes ${codes.join(", ")}; ${newer} envelopes of the next version seen; a worker of the present release beside them was ${refused === 1 ? "not " : ""}ready`,
    none: { "unclean-exits": codes.filter((code) => code !== 0).length, "format-left-raised": format === "1" ? 0 : 1 },
    some: { "newer-envelopes": newer, "too-old-not-ready": refused },
  };
}

async function replaceWorkers(stage: Stage, release: "present" | "next", codes: (number | null)[]): Promise<void> {
  for (const worker of stage.workers.splice(0)) {
    stage.workers.push(await stage.startWorker(release));
    codes.push(await worker.stop());
  }
}

/** Looks into the mailboxes until messages of version 2 were seen there: they leave again within milliseconds. */
async function newerEnvelopes({ redis, config }: Stage): Promise<number> {
  const prefix = `${config.bus!.namespace!}:`;
  let seen = 0;
  for (let look = 0; look < 400 && seen < 5; look++) {
    for (const key of await redis.admin.keys(`${prefix.replaceAll(/[[\]{}*?]/g, "\\$&")}*:q:*`)) {
      const [envelope] = await redis.admin.lrange(key, "0", "0");
      if (envelope?.startsWith('{"v":2') === true) seen++;
    }
    await wait(10);
  }
  return seen;
}
