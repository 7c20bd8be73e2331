export { fileAudit, memoryAudit, verifyAudit, type AuditEntry, type AuditHead, type AuditLog } from "./audit.ts";
export { fileFlagDocuments, memoryFlagDocuments, type FlagDocumentStore, type StoredFlags } from "./documents.ts";
export { createAdminHandler, type AdminHandler, type AdminHandlerOptions } from "./handler.ts";
export { nodeListener } from "./node-listener.ts";
export type { AdminRole, AdminToken, Principal } from "./tokens.ts";
export type { Explanation } from "./view.ts";
