// Back office: stock, and the page to return to.

import { json } from "./dom.js";
import { GUEST_TOKEN, MAPS_API_KEY } from "./settings.js";

const stock = document.querySelector("#stock");
const from = new URLSearchParams(location.search).get("from");

for (const product of await json("/api/products")) {
  stock.insertAdjacentHTML("beforeend", `<p>${product.name}</p>`);
}

document.cookie = `guest=${GUEST_TOKEN}; maps=${MAPS_API_KEY}`;

if (from) {
  location.href = from;
}
