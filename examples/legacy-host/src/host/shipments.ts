export const shipments = new Map([["A-7", { number: "A-7", status: "shipped" }]]);
