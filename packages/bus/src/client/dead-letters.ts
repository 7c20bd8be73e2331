import { errorSignature, HebraError, type ErrorSignature } from "@hebra/core";
import type { RawDeadLetter } from "../backend.ts";
import { directionOf, gatewayOf, parseConversation, type BusCore } from "./bus-core.ts";
import type { DeadLetter, DeadLetters } from "./bus-reports.ts";
import type { EnvelopeCodec } from "../envelope.ts";

/** The dead letters of a bus. */
export function createDeadLetters(core: Pick<BusCore, "backend">, codec: EnvelopeCodec<string>): DeadLetters {
  const { backend } = core;
  return {
    async list({ limit = 100, before } = {}) {
      if (!Number.isSafeInteger(limit) || limit < 1)
        throw new HebraError("INVALID_OPTIONS", "deadLetters.list: `limit` must be a whole number of at least 1.");
      const raw = await backend.listDead(limit, before);
      const letters = raw.map(read);
      return raw.length < limit ? { letters } : { letters, cursor: raw.at(-1)!.id };
    },
    async get(id) {
      const raw = await backend.getDead(id);
      return raw === undefined ? undefined : read(raw);
    },
    async replay(id) {
      const raw = await backend.getDead(id);
      if (raw === undefined) return false;
      return await backend.replayDead(id, renewed(raw.body));
    },
    discard: (id) => backend.discardDead(id),
  };

  /** The same message with a new age, or it would be too old for its next retry. What cannot be read stays as it is. */
  function renewed(body: string): string {
    const decoded = codec.decode(body);
    if (decoded.kind !== "envelope") return body;
    const { v, ...envelope } = decoded.envelope;
    return codec.encode({ ...envelope, enqueuedAt: backend.now() }, v);
  }

  function read(raw: RawDeadLetter): DeadLetter {
    const decoded = codec.decode(raw.body);
    const envelope = decoded.kind === "envelope" ? decoded.envelope : undefined;
    return {
      id: raw.id,
      direction: directionOf(raw.space),
      ...(directionOf(raw.space) === "outbound" ? { gatewayId: gatewayOf(raw.space) } : {}),
      ...parseConversation(raw.conversation),
      ...(envelope === undefined ? {} : { messageId: envelope.id, firstSeenAt: envelope.enqueuedAt }),
      envelope: raw.body,
      attempts: raw.attempts,
      cause: raw.cause as DeadLetter["cause"],
      signature: raw.signature === "" ? overflowSignature() : (JSON.parse(raw.signature) as ErrorSignature),
      at: raw.at,
      parked: raw.parked,
    };
  }
}

function overflowSignature(): ErrorSignature {
  return errorSignature(new HebraError("BACKLOG_FULL", "The conversation held as many messages as it may."), {
    component: "bus",
  });
}
