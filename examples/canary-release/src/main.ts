import { createManualClock } from "@hebra/core";
import { createDeprecation } from "@hebra/flags/deprecation";
import { memoryIncidents } from "@hebra/flags/incident";
import {
  createRolloutController,
  createRolloutService,
  memoryRolloutStore,
  replayEvidence,
  rolloutPlan,
  verifyEvidence,
} from "@hebra/flags/rollout";
import assert from "node:assert/strict";
import { setTimeout as after } from "node:timers/promises";
import { deploy, FIRST, FLAG } from "./deployment.ts";
import { createNewEngine } from "./new-engine.ts";
import { createOldEngine } from "./old-engine.ts";
import { createOperator } from "./operator.ts";

// Turns run in real time. The windows of the plan are minutes and days on this clock.
const clock = createManualClock(Date.UTC(2026, 2, 2, 9));
const [MINUTE, DAY] = [60_000, 86_400_000];
const rollouts = memoryRolloutStore();
const incidents = memoryIncidents();
const old = createOldEngine();
const { definition, fault } = createNewEngine();
const service = createRolloutService({ store: rollouts, clock, incidents });
const controller = createRolloutController({ service, clock });
const desk = await deploy({ clock, rollouts, incidents, legacy: old.legacy, definition });
const operator = createOperator(service, incidents, clock);

/** Waits until every process has counted every turn and follows the flag as the rollout has it. */
async function settled(): Promise<void> {
  const version = (await rollouts.read(FLAG))?.version ?? 0;
  for (let tries = 0; tries < 2_000; tries++) {
    const { sent, finished } = desk.progress();
    if (sent === finished && desk.version() >= version) return;
    await after(5);
  }
  throw new Error("The deployment did not settle.");
}

const asked = new Map<string, string[]>();
let count = 0;
/** Customers of many organisations write, two turns each; then the block ends and the controller looks. */
async function traffic(sessions: number): Promise<{ readonly news: string[]; readonly phase: string }> {
  const end = clock.now() + 5 * MINUTE;
  const block = Array.from({ length: sessions }, () => `org${count % 7}/s${++count}`);
  const news: string[] = [];
  await Promise.all(
    block.map(async (name) => {
      const [org, session] = name.split("/") as [string, string];
      for (const text of ["Hello.", "Where is my order?"]) {
        asked.set(name, [...(asked.get(name) ?? []), text]);
        await desk.say(org, session, text);
      }
    }),
  );
  await settled();
  for (const name of block) {
    const [org, session] = name.split("/") as [string, string];
    if ((await desk.engineOf(org, session)) === "new") news.push(name);
  }
  await clock.advance(end - clock.now());
  await desk.flush();
  const phase = (await controller.tick())[0]?.phase ?? "off";
  await clock.advance(1);
  await settled();
  return { news, phase };
}

const plan = rolloutPlan({
  owner: "team-desk",
  shadow: { evidence: [], leastMs: 0, minCompared: 0 },
  steps: [{ percent: 10, observeMs: 15 * MINUTE, minSessions: 5 }],
  full: { evidence: [], observeMs: 10 * MINUTE },
  limits: { required: ["errors"] },
  warmUpMs: 0,
});

operator.say("Off: the old engine answers everybody.");
assert.equal(await desk.say(FIRST, "first-1", "Hello."), "old: Hello.");

operator.say(`One organisation: ${FIRST} is on the allow list.`);
desk.allow(FIRST);
await operator.act({ event: "start", plan });
await settled();
assert.equal(await desk.say(FIRST, "first-2", "Hello."), "new: Hello.");
assert.equal(await desk.say("other", "second-1", "Hello."), "old: Hello.");
await operator.look();

operator.say("10 % of everybody.");
await operator.act({ event: "advance" });
await operator.act({ event: "advance" });
await settled();
const healthy = await traffic(60);
assert.equal(healthy.phase, "canary(0)");
assert.ok(healthy.news.length > 0 && healthy.news.length < 30, String(healthy.news.length));
await operator.look();

operator.say("A fault: the new engine's model is down. Nobody at the keyboard.");
fault.on = true;
const onNew: string[] = [];
let phase = healthy.phase;
for (let block = 0; block < 6 && phase !== "rolledBack(canary(0))"; block++) {
  const found = await traffic(40);
  onNew.push(...found.news);
  phase = found.phase;
}
assert.equal(phase, "rolledBack(canary(0))");
await operator.look();
assert.equal((await rollouts.read(FLAG))!.postmortems.length, 1);
assert.ok((await incidents.list({})).some(({ kind }) => kind === "rollback"));

operator.say(`Everybody is on the old engine again, with their history: ${onNew.length} sessions ask once more.`);
for (const name of [...onNew, ...healthy.news]) {
  const [org, session] = name.split("/") as [string, string];
  assert.equal(await desk.say(org, session, "Are you there?"), "old: Are you there?");
  assert.deepEqual(old.asked(session), [...asked.get(name)!, "Are you there?"]);
}

operator.say("The fix is deployed. The rollout begins anew after its rest.");
fault.on = false;
await clock.advance(plan.coolDownMs + 1);
const { id } = (await rollouts.read(FLAG))!.postmortems[0]!;
await operator.act({ event: "close-postmortem", id, link: "https://wiki.example/postmortem" });
await operator.act({ event: "reset" });
await operator.act({ event: "advance" });
await operator.act({ event: "advance" });
await settled();
for (let block = 0; block < 4; block++) assert.equal((await traffic(40)).phase, "canary(0)");
await operator.look();

operator.say("100 %: two people sign, 5 % are held back as a control; then nobody is.");
await operator.act({ event: "approve", role: "technical" } as never, "bo");
await operator.act({ event: "approve", role: "operational" } as never, "cy");
await operator.act({ event: "cutover" });
await settled();
for (let block = 0; block < 2; block++) assert.equal((await traffic(40)).phase, "full");
await operator.act({ event: "set-hold-back", holdBack: 0 });
await settled();
const last = await traffic(30);
assert.equal(last.news.length, 30);
await operator.look();

operator.say("The old endpoint says that it will go, and is gone after seven clean days without callers.");
const retired = async () => (await rollouts.read(FLAG))!.phase.name === "retired";
let stage: "deprecated" | "gone" = "deprecated";
const endpoint = createDeprecation({
  stage: () => stage,
  deprecatedAt: "2026-03-02",
  sunsetAt: "2026-03-28",
  successor: "/v2/answers",
  caller: (request) => request.headers.get("x-client") ?? "unknown",
  clock,
}).wrap(() => new Response("an answer"));
const call = () => endpoint(new Request("http://localhost/v1/answers", { headers: { "x-client": "billing" } }));
const warned = await call();
assert.equal(warned.status, 200);
assert.match(warned.headers.get("deprecation")!, /^@\d+$/);
console.log(`  GET /v1/answers → ${warned.status}, Sunset: ${warned.headers.get("sunset")}`);
await clock.advance(8 * DAY);
await traffic(10);
await traffic(10);
await operator.act({ event: "legacy-usage", calls: 0 });
await operator.act({ event: "retire" });
stage = (await retired()) ? "gone" : "deprecated";
const gone = await call();
assert.equal(gone.status, 410);
assert.equal(gone.headers.get("content-type"), "application/problem+json");
assert.equal(gone.headers.get("sunset"), "Sat, 28 Mar 2026 00:00:00 GMT");
assert.ok(gone.headers.has("deprecation"));
console.log(`  GET /v1/answers → ${gone.status} ${await gone.text()}`);

const evidence = await rollouts.evidence(FLAG);
verifyEvidence(evidence, (await rollouts.read(FLAG))!.head);
assert.ok(replayEvidence(evidence).every(({ agrees }) => agrees));
operator.say(`The evidence, ${evidence.length} records, verified and replayed:`);
for (const { at, from, to, cause, event } of evidence)
  if (from !== to) console.log(`  ${at}  ${from} → ${to}  ${cause.kind === "guard" ? `guard ${cause.guard}` : event}`);
await desk.close();
