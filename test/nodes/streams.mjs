// Plays the recorded answers of three providers over the provider packages of the AI SDK 7: through streamText and
// through the engine, and a sample of them interrupted. It runs in a project that has the packed packages, ai 7 and the
// provider packages, beside copies of the fixtures of test/provider-streams:
//   node streams.mjs RECORDINGS POINTS
import { isDeepStrictEqual } from "node:util";
import { hostTools, playEngine, playInterrupted, playStreamText } from "../provider-streams/play.fixture.ts";
import { modelOf, plainAnswer, readRecordings, splitAnswers } from "../provider-streams/providers.fixture.ts";
import { violations } from "../provider-streams/rules.fixture.ts";

globalThis.AI_SDK_LOG_WARNINGS = false;
const [path = "", points = "60"] = process.argv.slice(2);
/** @type {string[]} */
const problems = [];
/** @typedef {import("../provider-streams/providers.fixture.ts").Recording} Recording */
/** @type {{ recording: Recording, names: string[], after: number }[]} */
const places = [];
const recordings = readRecordings(path).map(splitAnswers);

for (const recording of recordings) {
  const { provider, name, events, more = [] } = recording;
  const { specificationVersion } = modelOf(provider, globalThis.fetch);
  if (specificationVersion !== "v4") problems.push(`${provider}: a model of the specification ${specificationVersion}`);
  const names = await hostTools(recording);
  const { result, next, ...played } = await playEngine(recording, names);
  const expected = await playStreamText(recording, names);
  if (!isDeepStrictEqual(played, expected))
    problems.push(`${name}: ${JSON.stringify(played)}, and streamText ${JSON.stringify(expected)}`);
  const ends = name.includes("mcp-tool-approval") ? "waiting" : "completed";
  if (result.status !== ends) problems.push(`${name}: it ended as ${result.status}`);
  for (const violation of violations(provider, next, [...events, ...more.flat(), ...plainAnswer[provider]]))
    problems.push(`${name}: ${violation}`);
  events.forEach((_, index) => places.push({ recording, names, after: index + 1 }));
}

const ways = /** @type {const} */ (["stop", "cut", "limit", "error", "denial"]);
const step = Math.max(1, Math.floor(places.length / Number(points)));
let interrupted = 0;
for (let i = 0; i < places.length; i += step) {
  const place = places[i];
  if (place === undefined) continue;
  const how = ways[interrupted % ways.length] ?? "cut";
  const store = interrupted % 2 === 0;
  interrupted++;
  for (const [provider, request, served] of await playInterrupted({ ...place, how, store }))
    for (const violation of violations(provider, request, served))
      problems.push(
        `${place.recording.name}, ${how} after ${place.after}, store ${store}, asking ${provider}: ${violation}`,
      );
}
process.stdout.write(
  JSON.stringify({ node: process.versions.node, recordings: recordings.length, interrupted, problems }),
);
