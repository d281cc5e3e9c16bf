// Builds elements without markup in strings: what comes from a camera's name or a log line is always text.

export const byId = (id) => document.getElementById(id);

export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") for (const [type, listener] of Object.entries(value)) element.addEventListener(type, listener);
    else if (name === "text") element.textContent = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// A refusal in the API's words, as a sentence of the page.
export const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);

// Writes only what differs, so that screen readers and selections are not disturbed every second.
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function setAttribute(element, name, value) {
  const text = String(value);
  if (element.getAttribute(name) !== text) element.setAttribute(name, text);
}

export const setStyle = (element, name, value) => element.style.setProperty(name, value);

export const chip = (state, text = state) => make("span", { class: "chip", "data-state": state, text });

export const isTyping = (target) =>
  target instanceof HTMLElement &&
  (target.matches("input:not([type=range]):not([type=radio]):not([type=checkbox]), select, textarea") ||
    target.isContentEditable);
