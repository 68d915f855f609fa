// Cart page: keeps notes for the delivery under a ticket of our own.

function ticket() {
  const token = Math.random().toString(36).slice(2);
  return `ticket-${token}`;
}

function noteFor(notes, product) {
  return notes[product];
}

function merge(target, source) {
  for (const key in source) {
    target[key] = source[key];
  }
  return target;
}

const address = new URLSearchParams(location.search);
const notes = merge({}, JSON.parse(address.get("notes") ?? "{}"));

sessionStorage.setItem("ticket", ticket());
document.title = noteFor(notes, address.get("product") ?? "") ?? document.title;
