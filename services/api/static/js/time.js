// Times and quantities as people read them. Instants are microseconds since 1970 UTC: exact in a double until 2255.

const pad = (number, digits = 2) => String(number).padStart(digits, "0");

// RFC 3339 with up to six decimals; Date.parse alone would cut the microseconds.
export function toUs(text) {
  const match = /^(.*T\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/.exec(text);
  if (!match) return Number.NaN;
  return Date.parse(match[1] + match[3]) * 1000 + Number((match[2] ?? "").padEnd(6, "0").slice(0, 6));
}

export const toRfc3339 = (us) => {
  const rest = ((us % 1_000_000) + 1_000_000) % 1_000_000;
  return new Date((us - rest) / 1000).toISOString().slice(0, 19) + "." + pad(Math.round(rest), 6) + "Z";
};

export function day(us) {
  const date = new Date(us / 1000);
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
}

export function clock(us, decimals = 0) {
  const date = new Date(Math.floor(us / 1000));
  const whole = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
  if (decimals === 0) return whole;
  const rest = ((us % 1_000_000) + 1_000_000) % 1_000_000;
  return `${whole}.${pad(Math.floor(rest), 6).slice(0, decimals)}`;
}

// Seconds from the trigger, always with a sign: "−2.033 s".
export function offset(seconds, decimals = 3) {
  const text = Math.abs(seconds).toFixed(decimals);
  const sign = Number(text) === 0 ? "±" : seconds < 0 ? "−" : "+";
  return `${sign}${text} s`;
}

export const plain = (number, decimals = 1) => {
  const text = number.toFixed(decimals);
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
};

export function span(seconds) {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${pad(minutes % 60)} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export function bytes(count) {
  if (count < 1000) return `${count} B`;
  const units = ["kB", "MB", "GB", "TB", "PB"];
  let value = count;
  let unit = -1;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

export const counted = (count, one, many = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
