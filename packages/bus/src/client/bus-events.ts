import type { BusHealth } from "./bus-reports.ts";

/**
 * What a bus tells its `onEvent`, for metrics and logs. Sessions are for logs only: they are too many for a metric's
 * labels.
 */
export type BusEvent =
  | { readonly type: "message-accepted"; readonly direction: "inbound" | "outbound"; readonly count: number }
  | {
      readonly type: "message-suppressed";
      readonly direction: "inbound" | "outbound";
      readonly tenant: string;
      readonly session: string;
      readonly id: string;
    }
  | {
      /** A mailbox was full: the receipt is `full` or `shed`. */
      readonly type: "message-refused" | "message-shed";
      readonly direction: "inbound" | "outbound";
      readonly tenant: string;
      readonly session: string;
      readonly id: string;
    }
  | {
      /** With `overflow: "block"`: a publish has waited for room. */
      readonly type: "publish-blocked";
      readonly direction: "inbound" | "outbound";
      readonly waitedMs: number;
    }
  | {
      readonly type: "delivery-started";
      readonly direction: "inbound" | "outbound";
      readonly waitedMs: number;
      readonly attempt: number;
    }
  | {
      readonly type: "delivery-acked";
      readonly direction: "inbound" | "outbound";
      readonly heldMs: number;
      readonly messages: number;
    }
  | {
      readonly type: "delivery-retried";
      readonly direction: "inbound" | "outbound";
      readonly tenant: string;
      readonly session: string;
      readonly attempt: number;
      readonly delayMs: number;
      readonly code: string;
    }
  | {
      readonly type: "message-dead-lettered";
      readonly direction: "inbound" | "outbound";
      readonly tenant: string;
      readonly session: string;
      readonly cause: string;
      readonly code: string;
      readonly parked: boolean;
    }
  | {
      readonly type: "lease-lost";
      readonly direction: "inbound" | "outbound";
      readonly tenant: string;
      readonly session: string;
      readonly fence: number;
    }
  | { readonly type: "health-changed"; readonly health: BusHealth };
