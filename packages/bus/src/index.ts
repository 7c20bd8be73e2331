export type {
  AckOptions,
  Bus,
  Claim,
  ClaimOptions,
  ConsumeOptions,
  ConsumeOutboundOptions,
  ConversationAddress,
  Delivery,
  Durability,
  InboundMessage,
  MessageBase,
  MoreNotice,
  NackOptions,
  OutboundMessage,
  PublishOptions,
  ReceivedMessage,
  Reply,
  Tenure,
  TraceContext,
} from "./bus.ts";
export type { BusHealth, BusStats, DeadLetter, DeadLetters, DirectionStats, DrainReport, PublishReceipt } from "./bus-reports.ts";
export type { ErrorSignature } from "./error-signature.ts";
