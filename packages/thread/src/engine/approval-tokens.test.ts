import { createHmac } from "node:crypto";
import { createManualClock } from "@hebra/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { approvalTokens } from "./approval-tokens.ts";

const secret = (n: number) => `secret number ${n} ${"x".repeat(32)}`;
const approval = { id: "approval-1", expiresAt: null };
const refused = expect.objectContaining({ code: "APPROVAL_TOKEN_INVALID" }) as Error;

describe("an approval token", () => {
  it("names its approval, for one tenant, until its time has come", async () => {
    const clock = createManualClock();
    const tokens = approvalTokens({ secrets: [secret(1)], ttlMs: 60_000, clock });
    const token = tokens.sign(approval, { tenant: "ácme" });
    expect(tokens.verify(token)).toEqual({ tenant: "ácme", approvalId: "approval-1" });
    const short = tokens.sign({ id: "approval-1", expiresAt: clock.now() + 10_000 });
    expect(tokens.verify(short)).toEqual({ tenant: "default", approvalId: "approval-1" });
    await clock.advance(10_000);
    expect(() => tokens.verify(short)).toThrowError(refused);
    expect(tokens.verify(token).approvalId).toBe("approval-1");
    await clock.advance(50_000);
    expect(() => tokens.verify(token)).toThrowError(refused);
  });

  it("is refused when a single character of it was changed, or it was cut, or something was added", () => {
    const tokens = approvalTokens({ secrets: [secret(1)] });
    const token = tokens.sign(approval);
    fc.assert(
      fc.property(fc.nat(token.length - 1), fc.constantFrom("A", "B", "-", "_", ".", "=", " ", "é"), (at, letter) => {
        const changed = token.slice(0, at) + letter + token.slice(at + 1);
        if (changed !== token) expect(() => tokens.verify(changed)).toThrowError(refused);
        expect(() => tokens.verify(token.slice(0, at))).toThrowError(refused);
      }),
      { seed: 28, numRuns: 500 },
    );
    for (const other of [
      "",
      ".",
      `${token}.`,
      `${token}=`,
      ` ${token}`,
      `${token}\n`,
      token.repeat(50),
      undefined,
      7,
      {},
    ])
      expect(() => tokens.verify(other as string)).toThrowError(refused);
  });

  it("of one approval or tenant is none of another, and a signature made elsewhere with the secret is none of ours", () => {
    const tokens = approvalTokens({ secrets: [secret(1)] });
    const [mine, other] = [tokens.sign(approval), tokens.sign({ ...approval, id: "approval-2" }, { tenant: "acme" })];
    expect(() => tokens.verify(`${mine.split(".")[0]}.${other.split(".")[1]}`)).toThrowError(refused);
    const payload = Buffer.from(
      JSON.stringify({ tenant: "default", approvalId: "x", until: Number.MAX_SAFE_INTEGER }),
    ).toString("base64url");
    expect(() =>
      tokens.verify(`${payload}.${createHmac("sha256", secret(1)).update(payload).digest("base64url")}`),
    ).toThrowError(refused);
  });

  it("outlives a change of the secret for as long as the old one is listed", () => {
    const old = approvalTokens({ secrets: [secret(1)] }).sign(approval);
    const both = approvalTokens({ secrets: [secret(2), secret(1)] });
    expect(both.verify(old).approvalId).toBe("approval-1");
    const fresh = both.sign(approval);
    expect(() => approvalTokens({ secrets: [secret(1)] }).verify(fresh)).toThrowError(refused);
    expect(() => approvalTokens({ secrets: [secret(2)] }).verify(old)).toThrowError(refused);
  });

  it("needs a secret that is one", () => {
    for (const options of [{ secrets: [] }, { secrets: ["short"] }, { secrets: [secret(1)], ttlMs: 0 }, {}]) {
      expect(() => approvalTokens(options as never)).toThrowError(
        expect.objectContaining({ code: "INVALID_OPTIONS" }) as Error,
      );
    }
    let message = "";
    try {
      approvalTokens({ secrets: ["hunter2"] });
    } catch (error) {
      message = String(error);
    }
    expect(message).not.toContain("hunter2");
  });
});
