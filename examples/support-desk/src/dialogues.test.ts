import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, test } from "vitest";
import { readDialogues } from "./dialogues.ts";

const directory = mkdtempSync(join(tmpdir(), "dialogues-"));
afterAll(() => rmSync(directory, { recursive: true }));
let count = 0;
const file = (content: string | Buffer, ending = ".jsonl"): string => {
  const path = join(directory, `${++count}${ending}`);
  writeFileSync(path, content);
  return path;
};
const good = JSON.stringify({
  id: "a",
  services: [],
  turns: [
    { speaker: "USER", utterance: "Hi" },
    { speaker: "SYSTEM", utterance: "Hello" },
  ],
});
const read = async (path: string): Promise<string[]> => {
  const ids: string[] = [];
  for await (const { id } of readDialogues(path)) ids.push(id);
  return ids;
};

test("plain and gzipped files are read line by line, with any line ends and blank lines between", async () => {
  const text = `${good}\r\n\r\n${good.replace('"a"', '"é"')}`;
  assert.deepEqual(await read(file(text)), ["a", "é"]);
  assert.deepEqual(await read(file(gzipSync(text), ".jsonl.gz")), ["a", "é"]);
});

const bad: readonly (readonly [what: string, content: string | Buffer, said: RegExp, ending?: string])[] = [
  ["no JSON", `${good}\n{bad`, /line 2: it is not JSON/],
  ["no dialogue", `${good}\n{"id":"b","turns":"x"}`, /line 2: the dialogue: `turns`/],
  ["another speaker", good.replace('"SYSTEM"', '"BOT"'), /line 1: the dialogue: `turns.1.speaker`/],
  ["one speaker twice", good.replace('"SYSTEM"', '"USER"'), /line 1: the speakers of a do not alternate.*turn 2/],
  [
    "no answer",
    JSON.stringify({ id: "b", turns: [{ speaker: "USER", utterance: "Hi" }] }),
    /line 1: b ends without an answer/,
  ],
  ["an id twice", `${good}\n${good}`, /line 2: the dialogue a came before/],
  ["nothing", "\n", /it holds no dialogue/],
  ["a file that is no gzip", good, /it cannot be read \(Z_DATA_ERROR\)/, ".gz"],
  ["a gzip that is cut off", gzipSync(good).subarray(0, 30), /it cannot be read \(Z_BUF_ERROR\)/, ".gz"],
];
for (const [what, content, said, ending] of bad) {
  test(`${what} is refused with its place`, async () => {
    await assert.rejects(
      read(file(content, ending)),
      (error: Error & { code?: string }) => error.code === "SOURCE_INVALID" && said.test(error.message),
    );
  });
}

test("a file that is not there, or is a folder, is named", async () => {
  for (const [path, said] of [
    [join(directory, "no.jsonl"), /ENOENT/],
    [join(directory, "no.gz"), /ENOENT/],
    [directory, /EISDIR/],
  ] as const)
    await assert.rejects(read(path), said);
});

test("the demo says it in a line, and ends with 1; what it does not understand with 2", { timeout: 60_000 }, () => {
  const demo = (...more: string[]) =>
    spawnSync(
      process.execPath,
      ["--conditions=@hebra/source", "--import", "tsx", join(import.meta.dirname, "main.ts"), ...more],
      { cwd: import.meta.dirname, encoding: "utf8" },
    );
  const wrong = demo("--data", file(`${good}\nbad`));
  assert.equal(wrong.status, 1);
  assert.match(wrong.stderr, /^SOURCE_INVALID: .*line 2: it is not JSON/m);
  assert.doesNotMatch(wrong.stderr, /\n\s+at /);
  const unknown = demo("--dta", "x");
  assert.equal(unknown.status, 2);
  assert.match(unknown.stderr, /Unknown option '--dta'\. See npm run demo -- --help\./);
});
