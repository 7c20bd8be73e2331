/**
 * Measures one area: `measure <area> [--quick] [--json FILE]`. `run.ts` bundles and starts it. Exits 0 whatever the
 * figures;
 * a budget that was missed is reported as missed.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { median, type Area, type Bar, type BenchContext, type Result } from "./area.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: "boolean", default: false }, json: { type: "string" } },
});
const name = positionals[0];
if (name === undefined || !/^[a-z-]+$/.test(name)) throw new Error("usage: measure <area> [--quick] [--json FILE]");
const { area } = (await import(new URL(`./${name}.mjs`, import.meta.url).href)) as { area: Area };

const results: Result[] = [];
const verdict: Record<string, Bar> = {};
const notes: string[] = [];

const context: BenchContext = {
  quick: values.quick,
  async compare(caseName, unit, rounds, subjects) {
    const names = Object.keys(subjects);
    const figures = new Map<string, number[]>(names.map((subject) => [subject, []]));
    for (let round = -1; round < (values.quick ? Math.min(rounds, 3) : rounds); round++) {
      // Every other round the other way about: the first after a pause is not always the same.
      for (const subject of round % 2 === 0 ? names : names.toReversed()) {
        const figure = await subjects[subject]!();
        if (round >= 0) figures.get(subject)!.push(figure);
      }
    }
    return context.record(caseName, unit, Object.fromEntries(figures));
  },
  record(caseName, unit, subjects) {
    const recorded: Record<string, Result> = {};
    for (const [subject, taken] of Object.entries(subjects)) {
      const result: Result = { case: caseName, subject, value: median(taken), unit, rounds: [...taken] };
      results.push((recorded[subject] = result));
    }
    printCase(caseName, unit, Object.values(recorded));
    return recorded;
  },
  bar(bar, value, relation, bound, unit) {
    verdict[bar] = { value, bound, unit, ok: relation === "<=" ? value <= bound : value >= bound };
  },
  note: (text) => void notes.push(text),
};

function format(value: number): string {
  return value >= 1000 ? Math.round(value).toLocaleString("en") : value.toPrecision(3);
}

function printCase(title: string, unit: string, rows: readonly Result[]): void {
  console.log(`\n${title} (${unit})`);
  const width = Math.max(...rows.map((row) => row.subject.length));
  for (const row of rows) {
    const spread = `${format(Math.min(...row.rounds))} … ${format(Math.max(...row.rounds))}`;
    console.log(`  ${row.subject.padEnd(width)}  ${format(row.value).padStart(12)}   ${spread}`);
  }
}

/** The version that the benches import; also of a package that does not export its manifest. */
function version(packageName: string): string {
  const folders = createRequire(import.meta.url).resolve.paths(packageName) ?? [];
  const manifest = folders.map((folder) => join(folder, packageName, "package.json")).find((file) => existsSync(file));
  if (manifest === undefined) throw new Error(`${packageName} is not among the dependencies of the benches.`);
  return (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version;
}

const loadBefore = loadavg()[0]!;
await area.run(context);

console.log("\nbudgets");
for (const [bar, { value, bound, unit, ok }] of Object.entries(verdict)) {
  console.log(`  ${ok ? "kept  " : "MISSED"}  ${bar}: ${format(value)} ${unit} (bound ${format(bound)})`);
}
for (const text of notes) console.log(`\n${text}`);
console.log(
  `\n${cpus().length} cores, load ${loadBefore.toFixed(1)} before and ${loadavg()[0]!.toFixed(1)} after; medians of alternating rounds, then the lowest and the highest.`,
);

if (values.json !== undefined) {
  const versions = Object.fromEntries(area.packages.map((packageName) => [packageName, version(packageName)]));
  const report = {
    area: name,
    at: new Date().toISOString(),
    node: process.version,
    quick: values.quick,
    versions,
    load: [loadBefore, loadavg()[0]],
    results,
    verdict,
    notes,
  };
  writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
}
