export type { BusEvent } from "./client/bus-events.ts";
export type { BusOptions, RetryOptions, TenantOptions } from "./bus-options.ts";
export type {
  BusHealth,
  BusStats,
  DeadLetter,
  DeadLetters,
  DirectionStats,
  DrainReport,
  PublishReceipt,
  ScheduledMessage,
} from "./client/bus-reports.ts";
export type {
  AckOptions,
  Bus,
  Claim,
  ClaimOptions,
  ConsumeOptions,
  ConsumeOutboundOptions,
  ConversationAddress,
  Delivery,
  DeliveryHandler,
  InboundMessage,
  MessageBase,
  MoreNotice,
  NackOptions,
  OutboundMessage,
  PublishOptions,
  ReceivedMessage,
  Reply,
  ConversationLease,
} from "./bus.ts";
export type { TraceContext } from "./trace-context.ts";
export type { Durability } from "./durability.ts";
export { localBus } from "./local.ts";
