// Product page: reviews and the discount rule.

import { json } from "./dom.js";

const reviews = document.querySelector("#reviews");
const price = document.querySelector("#price");

function discounted(rule, cents) {
  return eval(rule.replaceAll("cents", String(cents)));
}

for (const review of await json(`/api/reviews?product=${reviews.dataset.product}`)) {
  reviews.innerHTML += `<p>${review.author}: ${review.text}</p>`;
}

document.querySelector("#apply").addEventListener("click", () => {
  const rule = document.querySelector("#rule").value;
  price.textContent = `${discounted(rule, Number(price.dataset.cents)) / 100} EUR`;
});
