import { expect, it } from "vitest";
import * as env from "./env.ts";
import * as registry from "./registered-threads.ts";
import * as runtime from "./runtime.ts";
import { memoryStore } from "@hebra/thread/store/memory";
import type { Thread } from "./thread.ts";

/** A module once more, as a second copy of the package would load it. */
const copy = <T>(path: string): Promise<T> => import(/* @vite-ignore */ `${path}?copy`) as Promise<T>;

it("two copies of the package, as an alias makes them, share one runtime", async () => {
  const [otherEnv, otherRegistry, otherRuntime] = await Promise.all([
    copy<typeof env>("./env.ts"),
    copy<typeof registry>("./registered-threads.ts"),
    copy<typeof runtime>("./runtime.ts"),
  ]);
  expect(otherRegistry.registerThread).not.toBe(registry.registerThread);
  const thread = {} as Thread;
  registry.registerThread("shared", () => thread);
  expect(otherRegistry.getThread("shared")).toBe(thread);
  const given = { orgId: "acme" };
  await otherEnv.inEnv(given, async () => expect(await env.getThreadEnv()).toBe(given));
  const store = memoryStore();
  runtime.configureRuntime({ runtime: () => ({ store }) });
  expect((await otherRuntime.getThreadRuntime(given)).threadStore).toBe(store);
});
