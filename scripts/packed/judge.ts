import type { PeerFactory } from "../../test/peer-factories.ts";
import type { ProbeResult } from "./probe.ts";

/** What is wrong with an import, if anything. */
export function judgeImport(result: ProbeResult | undefined): string | undefined {
  if (result === undefined) return "it was not tried";
  if (!result.ok) return result.message;
  return Array.isArray(result.value) && result.value.includes("default") ? "it has a default export" : undefined;
}

/** What is wrong with the way a factory said that its peer is missing, if anything. */
export function judgeFactory(row: PeerFactory, result: ProbeResult | undefined): string | undefined {
  if (result === undefined) return "it was not tried";
  if (result.ok && row.answers)
    return codeOf(result.value) === "PEER_MISSING" ? undefined : `it answered ${JSON.stringify(result.value)}`;
  if (result.ok) return "it did not throw";
  if (result.code !== "PEER_MISSING") return `it threw ${result.code}: ${result.message}`;
  return result.message.includes(`npm install "${row.peer}@`)
    ? undefined
    : `its message does not say what to install: ${result.message}`;
}

function codeOf(value: unknown): unknown {
  return typeof value === "object" && value !== null && "errorCode" in value ? value.errorCode : undefined;
}
