import type { Bars } from "./bars.ts";
import { percentiles } from "./percentiles.ts";
import { now } from "./records.ts";
import type { Stage } from "./stage.ts";
import { publish } from "./talk.ts";

const PROBES = 40;
/** Conversations that the messages of the deep tenant lie in. */
const CONVERSATIONS = 400;
/** Milliseconds that its messages take, of very different lengths: workers are full of them, and the machine is not. */
const deepMs = (n: number) => 250 + ((n * 7_919) % 2_000);
/** So much slower the other tenant may become. */
const RATIO = 3;

/** The median time of a tenant's messages, alone and while another tenant has thousands waiting. */
export async function deepTenant(stage: Stage, depth: number, bars: Bars): Promise<string> {
  const alone = await probe(stage, "alone");
  for (let from = 0; from < depth; from += 200) {
    await Promise.all(
      Array.from({ length: Math.min(200, depth - from) }, (_, i) => {
        const n = from + i;
        return publish(stage, {
          id: String(n),
          chat: `deep-${n % CONVERSATIONS}`,
          text: `deep/${n}|${deepMs(n)}`,
          tenant: "deep",
          thread: "echo",
        });
      }),
    );
  }
  const before = (await stage.runtime.bus.stats()).inbound.depth;
  const beside = await probe(stage, "beside");
  const after = (await stage.runtime.bus.stats()).inbound.depth;
  // The figure is taken; what is left need not take its time.
  stage.hurry();
  bars.atMost("deep-tenant-p50", beside / alone, RATIO, "times");
  // Where nothing was left, nothing was measured.
  bars.some("deep-tenant-depth", after, "messages left");
  return `p50 of the other tenant: ${alone} ms alone, ${beside} ms beside ${before} messages (${after} left)`;
}

async function probe(stage: Stage, name: string): Promise<number> {
  const latencies: number[] = [];
  for (let n = 0; n < PROBES; n++) {
    const chat = `probe-${name}-${n}`;
    const replied = new Promise<number>((resolve) => {
      const stop = stage.onReply(({ session, at }) => {
        if (session !== `chaos:${chat}`) return;
        stop();
        resolve(at);
      });
    });
    const startedAt = now();
    await publish(stage, { id: String(n), chat, text: `${chat}|5`, tenant: "small", thread: "echo" });
    latencies.push((await replied) - startedAt);
  }
  return percentiles(latencies).p50;
}
