// Asks the patient's passkey for what a form needs, then sends the form. Without this script, or without a passkey, the
// same form works by its other button: the page says how it is signed then.
"use strict";

const bytes = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));

const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");

const named = (list) => (list || []).map((one) => ({ ...one, id: bytes(one.id) }));

async function create(options) {
  const made = await navigator.credentials.create({
    publicKey: {
      ...options,
      challenge: bytes(options.challenge),
      user: { ...options.user, id: bytes(options.user.id) },
      excludeCredentials: named(options.excludeCredentials),
    },
  });
  const response = {
    clientDataJSON: text(made.response.clientDataJSON),
    attestationObject: text(made.response.attestationObject),
  };
  return { id: made.id, rawId: made.id, type: made.type, response, clientExtensionResults: {} };
}

async function get(options) {
  const made = await navigator.credentials.get({
    publicKey: { ...options, challenge: bytes(options.challenge), allowCredentials: named(options.allowCredentials) },
  });
  return {
    credential: made.id,
    authenticator_data: text(made.response.authenticatorData),
    client_data: text(made.response.clientDataJSON),
    signature: text(made.response.signature),
  };
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.dataset.passkey || event.submitter?.hasAttribute("data-without")) return;
  event.preventDefault();
  const problem = form.querySelector("[data-problem]");
  problem.hidden = true;
  try {
    const ask = form.dataset.passkey === "create" ? create : get;
    form.elements.passkey.value = JSON.stringify(await ask(JSON.parse(form.dataset.options)));
    form.submit();
  } catch {
    problem.hidden = false;
    problem.focus();
  }
});
