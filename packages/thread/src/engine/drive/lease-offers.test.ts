import assert from "node:assert/strict";
import { test } from "vitest";
import { localLocks } from "@hebra/lock";
import { memoryStore } from "../../store/memory.ts";
import { scripted, setUp } from "../engine.fixture.ts";
import { createLeaseOffers } from "./lease-offers.ts";

test("a lease that is offered goes to who asks in the same turn of the event loop, and to nobody later [PF-6]", async () => {
  const closing = new AbortController();
  const offers = createLeaseOffers(closing.signal);
  const lease = await localLocks().acquire("c");
  const taken = offers.offer("c", lease);
  assert.equal(offers.take("other"), undefined);
  assert.equal(offers.take("c"), lease);
  assert.equal(offers.take("c"), undefined);
  assert.equal(await taken, true);
  assert.equal(await offers.offer("c", lease), false);
  assert.equal(offers.take("c"), undefined);
  closing.abort();
  const late = offers.offer("c", lease);
  assert.equal(offers.take("c"), undefined);
  assert.equal(await late, false);
  await lease.release();
});

test("messages that follow one another directly do not keep a conversation from who waits for it [PF-6]", async () => {
  const locks = localLocks();
  const definition = scripted([{ text: "Yes." }]);
  const { engine, address } = setUp(definition, { locks, store: memoryStore() });
  let played = 0;
  let isDone = false;
  const talk = (async () => {
    while (!isDone && played < 200)
      await (
        await engine.react(definition, { id: `m${++played}`, text: "And?" }, { address })
      ).result;
  })();
  while (played < 3) await new Promise((resolve) => setImmediate(resolve));
  const before = played;
  const waiting = await locks.acquire("default/customer-7", { waitMs: 60_000 });
  const missed = played - before;
  isDone = true;
  await waiting.release();
  await talk;
  assert.ok(missed <= 25, `${missed} turns went first`);
  await engine.close();
  await locks.close();
});
