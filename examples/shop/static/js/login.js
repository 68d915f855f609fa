// Login page: tells the page that embeds us who is here, and takes a name from it.

const name = document.querySelector("input[name=name]");
const password = document.querySelector("input[name=password]");

export function sameSecret(secret, guess) {
  if (secret === guess) {
    return true;
  }
  return secret.toLowerCase() === guess.toLowerCase();
}

window.addEventListener("message", (event) => {
  name.value = String(event.data);
});

name.form.addEventListener("submit", () => {
  window.parent.postMessage({ name: name.value, length: password.value.length }, "*");
});
