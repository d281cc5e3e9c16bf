// Key entry. The key becomes a cookie that scripts cannot read; it is kept nowhere else.

import { signIn } from "./api.js";
import { byId } from "./dom.js";

// Only a path on this very server, so that a link cannot lead away.
function nextPage() {
  const wish = new URLSearchParams(location.search).get("next") ?? "/";
  const address = new URL(wish, location.origin);
  return address.origin === location.origin && wish.startsWith("/") ? address.pathname + address.search : "/";
}

byId("sign-in").addEventListener("submit", async (submitted) => {
  submitted.preventDefault();
  const key = byId("key");
  const button = submitted.target.querySelector("button");
  button.disabled = true;
  try {
    await signIn(key.value);
    location.replace(nextPage());
  } catch (error) {
    const words = { 401: "This key is not right.", 403: "This key is not right." };
    byId("refusal").textContent = words[error.status] ?? error.message;
    key.setAttribute("aria-invalid", "true");
    key.select();
  } finally {
    button.disabled = false;
  }
});

byId("key").focus();
