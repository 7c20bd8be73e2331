export { assertJson, canonicalJson, digest } from "./canonical-json.ts";
export { createManualClock, sleep, systemClock, type Clock, type ManualClock } from "./clock.ts";
export { errorCodes, type ErrorCode, type ErrorCodeEntry } from "./error-codes.ts";
export { errorCode, errorMessage, HebraError, type HebraErrorOptions } from "./errors.ts";
export { assertId, createIdGenerator, deriveId, HEBRA_NAMESPACE, type IdGenerator } from "./id.ts";
export type { JsonObject, JsonValue } from "./json.ts";
export { assertPeer, loadPeer, type PeerRequest } from "./optional-peer.ts";
export { didYouMean, parseOptions } from "./options.ts";
