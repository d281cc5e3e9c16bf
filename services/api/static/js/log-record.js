// What a log record says, for lists: its source, its message with its facts, and whether it passes a filter. Pure.

const LEVELS = { DEBUG: 10, INFO: 20, WARNING: 30, ERROR: 40, CRITICAL: 50 };

export const levelOf = (record) => LEVELS[record.level] ?? 20;
export const instanceOf = (record) => record.fields?.camera_id ?? record.camera_id ?? record.camera ?? record.instance ?? "";

export function sourceOf(record) {
  const instance = instanceOf(record);
  return instance ? `${record.service} ${instance}` : (record.service ?? "");
}

export const factsOf = (record) =>
  Object.entries(record.fields ?? {})
    .filter(([name]) => name !== "camera_id")
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");

export const messageOf = (record) => [record.message, factsOf(record)].filter(Boolean).join("  ");

// `filter` is {text, service, camera, level, event}; an empty one passes everything.
export function passes(record, filter) {
  if (record.notice) return true;
  if (filter.level && levelOf(record) < filter.level) return false;
  if (filter.service && record.service !== filter.service) return false;
  if (filter.camera && instanceOf(record) !== filter.camera && record.instance !== filter.camera) return false;
  if (filter.event && record.fields?.event_id !== filter.event) return false;
  if (!filter.text) return true;
  record.searched ??= `${record.message} ${record.service} ${record.instance ?? ""} ${JSON.stringify(record.fields ?? {})}`.toLowerCase();
  return record.searched.includes(filter.text);
}
