import { setTimeout as wait } from "node:timers/promises";
import { now } from "./records.ts";
import type { Stage } from "./phases.ts";

const PROBES = 40;

/** The median time of a tenant's messages, alone and while another tenant has thousands waiting. */
export async function deepTenant(stage: Stage, depth: number): Promise<{ alone: number; beside: number }> {
  const alone = await probe(stage, "alone");
  const messages = Array.from({ length: depth }, (_, n) => ({ id: String(n), chat: `deep-${n % 400}`, text: `deep/${n}|5`, tenant: "deep" }));
  for (let from = 0; from < depth; from += 200) await Promise.all(messages.slice(from, from + 200).map((message) => stage.gateway.publish("chaos", message)));
  const beside = await probe(stage, "beside");
  return { alone, beside };
}

async function probe({ gateway, replies }: Stage, name: string): Promise<number> {
  const latencies: number[] = [];
  for (let n = 0; n < PROBES; n++) {
    const startedAt = now();
    await gateway.publish("chaos", { id: String(n), chat: `probe-${name}-${n}`, text: `probe-${name}/${n}|5`, tenant: "small" });
    const found = () => replies.find(({ text }) => text.startsWith(`probe-${name}/${n}|`));
    while (found() === undefined && now() - startedAt < 30_000) await wait(1);
    latencies.push((found()?.at ?? now()) - startedAt);
  }
  return latencies.sort((a, b) => a - b)[PROBES / 2]!;
}
