export type {
  Channel,
  ChannelContext,
  ChannelDelta,
  ChannelMessage,
  ChannelReply,
  ChannelWaiting,
  Locate,
  Publication,
  ReplyStatus,
} from "./channel.ts";
export {
  httpChannel,
  type CallerField,
  type HttpCaller,
  type HttpChannel,
  type HttpChannelOptions,
} from "./channels/http.ts";
export { telegramChannel, type TelegramChannelOptions } from "./channels/telegram.ts";
export { terminalChannel, type TerminalChannel, type TerminalChannelOptions } from "./channels/terminal.ts";
export type { TerminalOutput } from "./channels/terminal/screen.ts";
export { whatsappChannel, type WhatsappChannel, type WhatsappChannelOptions } from "./channels/whatsapp.ts";
export type { ReplyPiece } from "./reply-pieces.ts";
export type { PendingApproval } from "./pending-approval.ts";
export type {
  EngineRouter,
  FlagSubject,
  RoutedTurn,
  RouterContext,
  RouterHandlers,
  RouterTurn,
  SwitchRequest,
} from "./engine-router.ts";
export type { EngineChange, LegacyEngine, LegacyResult, LegacyTurn } from "./legacy-engine.ts";
export type { RouterOutcome } from "./router-outcome.ts";
export type { Gateway, GatewayOptions } from "./gateway.ts";
export type { HealthCheck, RuntimeHealth } from "./health.ts";
export type { Route, RoutedMessage, Router } from "./route.ts";
export { createRuntime, type Runtime, type RuntimeOptions } from "./runtime.ts";
export { localConfig } from "./to-local/local-config.ts";
export { moveToLocal, undoMoveToLocal } from "./to-local/move-to-local.ts";
export { moveToShared, undoMoveToShared } from "./to-shared/move-to-shared.ts";
export type { MoveToSharedOptions, MoveToSharedReport } from "./to-shared/types.ts";
export type { MoveProgress, MoveReport, MoveStep, MoveToLocalOptions } from "./to-local/types.ts";
export type { Job, Scheduler, SchedulerOptions } from "./scheduler.ts";
export type { SendOutcome } from "./send-outcome.ts";
export type { Worker, WorkerOptions } from "./worker.ts";
export type { EndedTurn } from "../engine/ended-turn.ts";
export {
  openBus,
  openRuntime,
  openStore,
  parseRuntimeConfig,
  type ParsedConfig,
  type RedisAddress,
  type RuntimeConfig,
  type RuntimeParts,
} from "./config.ts";
