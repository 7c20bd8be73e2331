import assert from "node:assert/strict";
import { rmSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { threadMetrics } from "@hebra/thread";
import { afterAll, afterEach, describe, test } from "vitest";
import { root } from "../../scripts/lib/paths.mjs";
import { knownSeries, seriesOf } from "./support/metric-names.ts";
import { answerOf, freePort, killAll, runHebra, seriesServed } from "./support/run-hebra.ts";

const PATIENCE = 120_000;
const directory = mkdtempSync(join(tmpdir(), "hebra-telemetry-"));
afterEach(killAll);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const withTelemetry = (port: number) => ({
  NODE_OPTIONS: "--import /app/telemetry.js",
  OTEL_EXPORTER_PROMETHEUS_PORT: String(port),
  OTEL_EXPORTER_PROMETHEUS_HOST: "127.0.0.1",
});
const gateway = async (app: string, metrics: number) => {
  const process = runHebra(
    ["gateway", "--app", join(root, app), "--host", "127.0.0.1", "--json"],
    withTelemetry(metrics),
    directory,
  );
  await process.started();
  return process;
};

describe("deploy/app/telemetry.js", { timeout: PATIENCE }, () => {
  test("serves every metric under the names, and with the labels, that dashboard, alerts and scaling ask for", async () => {
    const port = await freePort();
    const process = await gateway("test/deploy/every-metric.fixture.ts", port);
    const { text } = (await answerOf(port, "/metrics"))!;
    assert.equal(await process.stop(), 0, process.err());
    const served = seriesServed(text);
    const expected = Object.values(threadMetrics).flatMap(seriesOf);
    assert.deepEqual(
      expected.filter((series) => !served.has(series)),
      [],
    );
    const known = knownSeries();
    assert.deepEqual(
      [...served].filter((series) => /^(?:hebra|gen_ai)_/.test(series) && !known.has(series)),
      [],
    );
    for (const line of text.split("\n").filter((each) => each.includes(" here"))) {
      const series = /^\w+/.exec(line)![0];
      for (const [, label = ""] of line.matchAll(/[{,](\w+)="/g))
        assert.ok(known.get(series)!.has(label), `${series} ${label}`);
    }
  });

  test("leaves commands that come and go alone, and a port that is taken does not stop a process", async () => {
    const port = await freePort();
    const process = await gateway("deploy/app/app.js", port);
    const other = await gateway("deploy/app/app.js", port);
    const short = runHebra(["--help"], withTelemetry(port));
    assert.deepEqual([await short.exit, short.err()], [0, ""]);
    assert.match(other.err(), /No metrics are served: .*EADDRINUSE/);
    assert.deepEqual([await process.stop(), await other.stop()], [0, 0]);
  });
});
