import assert from "node:assert/strict";
import { test } from "vitest";
import { defineEntities, type EntityMapping, type Mapping } from "./mapping.ts";

const note: EntityMapping = {
  from: "memo",
  to: "note",
  id: { from: ["id"], onMissing: "reject" },
  links: {},
  fields: { text: { from: ["body"], kind: "string", onMissing: "reject" } },
};
const mapping = (...entities: EntityMapping[]): Mapping => ({ name: "notes", version: 1, derivations: {}, entities });

const wrong: [what: string, mapping: Mapping, message: RegExp][] = [
  ["two rules for one pair of entities", mapping(note, note), /memo → note is defined twice/],
  [
    "a derivation that is not there",
    mapping({ ...note, id: { from: [], onMissing: { derive: "made" } } } as EntityMapping),
    /names the derivation made, which does not exist/,
  ],
  [
    "a field without a source that may not be missing",
    mapping({ ...note, fields: { text: { from: [], kind: "string", onMissing: "reject" } } }),
    /has no source and nothing in its place/,
  ],
];

test.each(wrong)("a mapping with %s is refused as MAPPING_INVALID", (_, given, message) => {
  assert.throws(() => defineEntities(given), { code: "MAPPING_INVALID", message });
});
