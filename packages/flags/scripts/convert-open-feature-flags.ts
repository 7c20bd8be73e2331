import { readFileSync } from "node:fs";
import { convertTestFlags } from "../src/openfeature/convert-test-flags.fixture.ts";

/** Prints OpenFeature's `test-flags.json`, named on the command line, as a flag document. */
const [path] = process.argv.slice(2);
if (path === undefined) throw new Error("usage: convert-open-feature-flags test-flags.json");
console.log(
  JSON.stringify(
    convertTestFlags(JSON.parse(readFileSync(path, "utf8")) as Parameters<typeof convertTestFlags>[0]),
    null,
    2,
  ),
);
