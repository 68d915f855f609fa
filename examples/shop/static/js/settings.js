// What the front end needs to know. The keys are invented and open nothing.

export const PAGE_SIZE = 12;
export const MAPS_API_KEY = "vUNbl6oTiBmyTBuCNAXFx5mcpfJ5anzHamvxdmbI";
export const GUEST_TOKEN =
  "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJzaG9wLWRlbW8iLCJuYW1lIjoiTm9ib2R5IiwiaWF0IjoxNTE2MjM5MDIyfQ.WER82ivAtUXHzsJLO0XZMHVsd0wgW7gVTTVHVaMd_KI";
