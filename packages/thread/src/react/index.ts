"use client";
export { useApprovals, useThread, useThreadList, type Page } from "./hooks.ts";
