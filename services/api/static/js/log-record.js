// What a log record says, for lists: its source, its facts, and whether it passes a filter. Pure.

const LEVELS = { DEBUG: 10, INFO: 20, WARNING: 30, ERROR: 40, CRITICAL: 50 };

export const levelOf = (record) => LEVELS[record.level] ?? 20;
export const instanceOf = (record) => record.camera_id ?? record.instance ?? "";

export function sourceOf(record) {
  const instance = instanceOf(record);
  return instance ? `${record.service} ${instance}` : (record.service ?? "");
}

// The camera is said already; an event's page need not repeat its id in every record.
export const factsOf = (record, eventId = null) =>
  Object.entries(record.fields ?? {})
    .filter(([name, value]) => value !== null && name !== "camera_id" && !(name === "event_id" && value === eventId))
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");

// `filter` is {text, service, camera, level, event}; an empty one passes everything.
export function passes(record, filter) {
  if (record.notice) return true;
  if (filter.level && levelOf(record) < filter.level) return false;
  if (filter.service && record.service !== filter.service) return false;
  if (filter.camera && instanceOf(record) !== filter.camera && record.instance !== filter.camera) return false;
  if (filter.event && record.event_id !== filter.event) return false;
  if (!filter.text) return true;
  record.searched ??= `${record.message} ${record.service} ${record.instance ?? ""} ${JSON.stringify(record.fields ?? {})}`.toLowerCase();
  return record.searched.includes(filter.text);
}
