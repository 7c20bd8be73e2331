import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "vitest";
import { root } from "../scripts/lib/paths.mjs";
import { localPaths, occurrences, secretsIn } from "../scripts/ship/patterns.ts";

/** What git tracks; nothing when this is not a checkout. */
const tracked = existsSync(join(root, ".git"))
  ? execFileSync("git", ["ls-files", "-z"], { cwd: root, encoding: "utf8", maxBuffer: 64 << 20 })
      .split("\0")
      .filter((path) => path !== "" && existsSync(join(root, path)))
  : [];
const texts = tracked
  .filter((path) => !/\.(png|jpg|gz|zip|woff2?|wasm)$/.test(path))
  .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));

/** Hosts that packages come from. Which one a machine uses is its own business. */
const registryHost =
  /\b(?:registry|npm|artifactory|nexus|verdaccio|artifacts?)\.[a-z0-9-]+\.[a-z]{2,}\b|\/(?:artifactory|npm-proxy|api\/npm)\//gi;

/**
 * Tests plant paths and secrets that nobody has, to see them found. What they must not hold is where this repository
 * stands.
 */
const plants = /\.(?:test|test-d|fixture|contract)\.tsx?$|\/(?:contract|testing)\//;
const standsHere = [{ what: "a checkout", expression: /(?<![\w./~*-])\/(?:root|work)\/[\w.-]+/g }];

test.skipIf(texts.length === 0)("no tracked file holds a path of one machine", () => {
  const found = texts.flatMap(({ path, text }) =>
    occurrences(text, plants.test(path) ? standsHere : localPaths).map(({ match, line }) => `${path}:${line} ${match}`),
  );
  assert.deepEqual(found, []);
});

test.skipIf(texts.length === 0)("no tracked file names a registry's host", () => {
  const found = texts.flatMap(({ path, text }) =>
    occurrences(text, [{ what: "a registry", expression: registryHost }]).map(
      ({ match, line }) => `${path}:${line} ${match}`,
    ),
  );
  assert.deepEqual(found, []);
});

test.skipIf(texts.length === 0)("no tracked file holds a secret", () => {
  const found = texts
    .filter(({ path }) => !plants.test(path))
    .flatMap(({ path, text }) => secretsIn(text).map(({ what, line }) => `${path}:${line} looks like ${what}`));
  assert.deepEqual(found, []);
});

test.skipIf(texts.length === 0)("a link from one document to another file of the repository leads somewhere", () => {
  const broken: string[] = [];
  for (const { path, text } of texts.filter(
    (file) => file.path.endsWith(".md") && !file.path.startsWith(".changeset/"),
  )) {
    for (const [, target = ""] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^(?:[a-z]+:|#)/.test(target)) continue;
      const file = join(root, dirname(path), target.replace(/#.*$/, ""));
      if (!existsSync(file)) broken.push(`${path} -> ${target}`);
    }
  }
  assert.deepEqual(broken, []);
});
